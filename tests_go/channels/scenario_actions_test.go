package channels

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/engine/chat"

	"github.com/goasyncore/goasyncore/engine/socket"
)

// act carries out an action of a scenario. Its error is the one that it is to raise.
func (st *stage) act(a action) error {
	if len(a) == 1 {
		return st.actOnAll(a.text(0))
	}
	if a.text(0) == "errno" {
		return os.NewSyscallError("act", errnos[a.text(1)])
	}
	name := a.text(1)
	if a.text(0) == "until" {
		st.until(name, a.text(2))
		return nil
	}
	if d := st.channels[name]; d != nil {
		return st.actOn(d, name, a)
	}
	switch a.text(0) {
	case "open":
		near, far := ends(st.t)
		st.peers[name] = far
		st.attach(name, near)
	case "listen":
		st.acceptedAs = a.text(2)
		d := st.make(name)
		return d.Listen("tcp", "127.0.0.1:0")
	case "connect":
		to, err := st.channels[a.text(2)].Socket().LocalAddr()
		require.NoError(st.t, err)
		d := st.make(name)
		return d.Dial("tcp", to.String())
	case "connect_refused":
		nobody, err := socket.New("tcp")
		require.NoError(st.t, err)
		defer nobody.Close()
		address, err := socket.ParseAddr("tcp", "127.0.0.1:0")
		require.NoError(st.t, errors.Join(err, nobody.Bind(address)))
		address, err = nobody.LocalAddr()
		require.NoError(st.t, err)
		d := st.make(name)
		require.NoError(st.t, d.Dial("tcp", address.String()))
		st.until(name, "error")
	default:
		st.t.Fatalf("unknown action or channel: %v", a)
	}
	return nil
}

var errnos = map[string]unix.Errno{"EPIPE": unix.EPIPE, "ECONNRESET": unix.ECONNRESET, "EIO": unix.EIO}

// actOnAll carries out an action without arguments.
func (st *stage) actOnAll(verb string) error {
	switch verb {
	case "pass":
		return st.pass(0)
	case "loop":
		for st.m.Len() > 0 {
			if err := st.pass(long); err != nil {
				return err
			}
		}
	case "close_all":
		return st.m.CloseAll()
	case "length":
		st.note("length", fmt.Sprint(st.m.Len()))
	case "fail":
		return errHandler
	case "exit":
		return engine.ErrExitNow
	default:
		st.t.Fatalf("unknown action: %v", verb)
	}
	return nil
}

// actOn carries out an action on a channel, or its other end.
func (st *stage) actOn(d *engine.Dispatcher, name string, a action) error {
	peer := st.peers[name]
	switch a.text(0) {
	case "say":
		say(st.t, peer, a.text(2))
	case "hear":
		st.note(name, "heard", text(st.t, peer))
	case "hangup":
		return peer.Close()
	case "drain":
		st.drain(name, a.number(2))
	case "recv":
		n, err := d.Recv(st.m.Buffer())
		if err == nil || ended(err) { // Python's b""
			st.note(name, "received", string(st.m.Buffer()[:n]))
			return nil
		}
		if err == engine.ErrWouldBlock { // an exception in Python, and harmless in Go
			return os.NewSyscallError("recv", unix.EAGAIN)
		}
		return err
	case "close":
		return d.Close()
	case "wants":
		d.Handler().(*plainPart).wants(a.text(2))
	case "remove":
		d.DelChannel()
	case "add":
		return d.AddChannel()
	case "send":
		_, err := d.Handler().(interface{ Send([]byte) (int, error) }).Send([]byte(a.text(2)))
		return unlessEnded(err)
	default:
		switch c := d.Handler().(type) {
		case *senderPart:
			return unlessEnded(c.act(a))
		case *chatPart:
			return unlessEnded(c.act(a))
		}
		st.t.Fatalf("unknown action: %v", a)
	}
	return nil
}

func (p *senderPart) act(a action) (err error) {
	switch a.text(0) {
	case "echo":
		var n int
		if n, err = p.Recv(p.Map().Buffer()); n > 0 {
			_, err = p.Send(p.Map().Buffer()[:n])
		}
	case "bulk":
		_, err = p.Send(bulk(a.number(2)))
	default:
		p.stage.t.Fatalf("unknown action: %v", a)
	}
	return err
}

func (p *chatPart) act(a action) error {
	switch a.text(0) {
	case "push":
		return p.Push([]byte(a.text(2)))
	case "push_bulk":
		return p.Push(bulk(a.number(2)))
	case "produce":
		return p.PushWithProducer(chat.NewSimpleProducer([]byte(a.text(2)), a.number(3)))
	case "close_when_done":
		p.CloseWhenDone()
	case "discard":
		p.DiscardBuffers()
	case "terminator":
		p.SetTerminator(terminatorOf(a[2]))
	default:
		p.stage.t.Fatalf("unknown action: %v", a)
	}
	return nil
}

// drain receives at the other end, with passes in between.
func (st *stage) drain(name string, size int) {
	var got []byte
	for len(got) < size {
		require.NoError(st.t, st.pass(0))
		for {
			piece := text(st.t, st.peers[name])
			if piece == "" {
				break
			}
			got = append(got, piece...)
		}
	}
	require.True(st.t, bytes.Equal(bulk(size), got))
	st.note(name, "drained", fmt.Sprint(len(got)))
}

// unlessEnded is err, unless Python has none there.
func unlessEnded(err error) error {
	if ended(err) {
		return nil
	}
	return err
}

// ended says whether err, of Recv or Send, means that the channel has been told of its end.
func ended(err error) bool {
	var errno unix.Errno
	return err == io.EOF || errors.Is(err, net.ErrClosed) || errors.As(err, &errno) && errno != unix.EAGAIN
}
