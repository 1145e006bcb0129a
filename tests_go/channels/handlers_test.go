package channels

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/engine/chat"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

// misread has a HandleRead that the loop would never call.
type misread struct{ engine.Dispatcher }

func (m *misread) HandleRead() {}

type misaccept struct{ engine.DispatcherWithSend }

func (m *misaccept) HandleAccepted(sock *engine.Socket) error { return sock.Close() }

type misclose struct{ chat.Channel }

func (m *misclose) CollectIncomingData([]byte) error { return nil }
func (m *misclose) FoundTerminator() error           { return nil }
func (m *misclose) Close()                           {}

type misasked struct{ engine.Dispatcher }

func (m *misasked) Writable() (bool, error) { return false, nil }

type byValue struct{}

func (*byValue) HandleRead() error { return nil }

func TestHandlersWithAnotherSignatureAreRefused(t *testing.T) {
	m := newMap(t, "")
	for range 2 { // found out about once a type, told each time
		r, a, c, w, v := &misread{}, &misaccept{}, &misclose{}, &misasked{}, &engine.Dispatcher{}
		assert.EqualError(t, r.Init(r, m), "engine: *channels.misread has a method HandleRead that is func();"+
			" the loop would call one that is func() error")
		assert.ErrorContains(t, a.Init(a, m), "HandleAccepted that is func(*socket.Socket) error;")
		assert.ErrorContains(t, c.Init(c, m), "Close that is func();")
		assert.ErrorContains(t, w.Init(w, m), "Writable that is func() (bool, error);")
		assert.ErrorContains(t, v.Init(byValue{}, m), "Init needs a *channels.byValue")
		sock, _ := ends(t)
		for _, err := range []error{
			r.Listen("tcp", "127.0.0.1:0"), r.Dial("tcp", "127.0.0.1:1"), a.CreateSocket("tcp"),
			c.SetSocket(sock), w.Attach(sock), v.Attach(sock), r.AddChannel(),
		} {
			assert.ErrorContains(t, err, "engine: ")
		}
		assert.Zero(t, m.Len())
	}
	p := &plainPart{}
	assert.NoError(t, p.Init(p, m))
	assert.NoError(t, p.Init(nil, m))
}

func TestChannelWithoutInitSaysSo(t *testing.T) {
	d, s, c := &reader{}, &sender{}, &talker{}
	sock, _ := ends(t)
	_, sent := s.Send([]byte("x"))
	_, _, accepted := d.Accept()
	for _, err := range []error{
		d.Attach(sock), s.Attach(sock), c.Attach(sock), d.SetSocket(sock), d.CreateSocket("tcp"),
		d.Listen("tcp", "127.0.0.1:0"), d.Dial("tcp", "127.0.0.1:1"), d.Connect("127.0.0.1:1"),
		d.Bind("127.0.0.1:0"), d.AddChannel(), sent, accepted,
	} {
		assert.Equal(t, engine.ErrNoInit, err)
	}
	assert.PanicsWithValue(t, engine.ErrNoInit, func() { d.Map() })
	assert.Zero(t, engine.DefaultMap().Len())
	assert.NoError(t, d.Close())
	assert.PanicsWithValue(t, "engine: Do needs a function", func() { engine.DefaultMap().Do(nil) })
	assert.PanicsWithValue(t, "engine: AfterFunc needs a function", func() { engine.DefaultMap().AfterFunc(0, nil) })
}

func TestHandlersMayReturnWhatRecvAndSendReturn(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, peer := connection(t, m)
		errs := []error{}
		c.failed = func(err error) error { errs = append(errs, err); return nil }
		for _, err := range []error{
			engine.ErrWouldBlock, fmt.Errorf("wrapped: %w", engine.ErrWouldBlock),
			errors.Join(engine.ErrWouldBlock, nil),
		} {
			c.read = func() error { return err }
			say(t, peer, "x")
			onePass(t, m, meaning)
		}
		assert.Empty(t, errs)
		assert.Equal(t, 1, m.Len())
		mixed := errors.Join(engine.ErrWouldBlock, io.EOF, errHandler)
		c.read = func() error { return mixed }
		onePass(t, m, meaning)
		assert.Equal(t, []error{mixed}, errs, "the one beside them is not lost")

		c.seen = nil
		c.read = func() error { return io.EOF } // of another reader, or its own decision
		onePass(t, m, meaning)
		assert.Equal(t, []string{"read", "close"}, c.seen)
		assert.Zero(t, m.Len())
		assert.Len(t, errs, 1)
	})
}

func TestRecvReturnsTheEndAndHandleCloseIsCalled(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		for _, reset := range []bool{false, true} {
			server, at := listening(t, m, "tcp", "127.0.0.1:0")
			var c *channel
			var got error
			server.accepted = func(sock *engine.Socket, _ engine.Addr) error {
				c = newChannel(t, m, sock)
				c.failed = func(err error) error { t.Error(err); return nil }
				c.read = func() error {
					_, err := c.Recv(m.Buffer())
					got = err
					return err
				}
				return nil
			}
			peer := dial(t, server.Addr())
			assert.Equal(t, at, peer.RemoteAddr().String())
			loopUntil(t, m, func() bool { return c != nil }, meaning)
			if reset {
				_, err := c.Send([]byte("unread")) // what is closed with something unread is reset
				require.NoError(t, err)
				require.NoError(t, waitReadable(peer))
			}
			require.NoError(t, peer.Close())
			loopUntil(t, m, func() bool { return got != nil }, meaning)
			if reset {
				assert.ErrorIs(t, got, unix.ECONNRESET)
			} else {
				assert.Equal(t, io.EOF, got)
			}
			assert.Equal(t, []string{"read", "close"}, slices.Compact(c.seen)) // poll's meaning tells hang-ups as well
			require.NoError(t, server.Close())
		}
	})
}

func TestErrorOfHandleCloseIsNotLost(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		c, peer := connection(t, m)
		c.closed = func() error { return errors.Join(c.Close(), errHandler) }
		c.read = func() error {
			_, err := c.Recv(m.Buffer())
			return err
		}
		require.NoError(t, peer.Close())
		assert.ErrorIs(t, m.Loop(), errHandler)
	})
}

// writer has a HandleWrite of its own over a channel that buffers.
type writer struct {
	engine.DispatcherWithSend
	writes int
}

func (w *writer) HandleWrite() error { w.writes++; return nil }
func (w *writer) Writable() bool     { return false }

type chatWriter struct {
	talker
	writes int
}

func (w *chatWriter) HandleWrite() error { w.writes++; return nil }

func TestOverriddenHandleWriteStopsNoOutput(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		data := fds.Pattern(2 << 20)
		w := &writer{}
		require.NoError(t, w.Init(w, m))
		near, far := ends(t)
		require.NoError(t, w.Attach(near))
		_, err := w.Send(data)
		require.NoError(t, err)
		w.SetWritable(false)
		assert.True(t, bytes.Equal(data, drain(t, m, far, len(data), meaning)))
		assert.Positive(t, w.writes)

		c := &chatWriter{}
		require.NoError(t, c.Init(c, m))
		near, far = ends(t)
		require.NoError(t, c.Attach(near))
		require.NoError(t, c.Push(data))
		c.SetWritable(false)
		assert.True(t, bytes.Equal(data, drain(t, m, far, len(data), meaning)))
		assert.Positive(t, c.writes)
		before := c.writes
		onePass(t, m, meaning)
		assert.Equal(t, before, c.writes, "nothing is left")
	})
}

func TestLoggerOfTheMapGetsWhatTheDefaultsSay(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		var log bytes.Buffer
		m.SetLogger(slog.New(slog.NewJSONHandler(&log, nil)))
		w := &fails{}
		require.NoError(t, w.Init(w, m))
		near, _ := ends(t)
		require.NoError(t, w.Attach(near))
		onePass(t, m)
		assert.Contains(t, log.String(), `"level":"ERROR","msg":"uncaught error, closing channel","channel":"<*channels.fails connected`)
		assert.Contains(t, log.String(), errHandler.Error())
		assert.Contains(t, log.String(), "channels.panicking")
		assert.Zero(t, m.Len())
	})
}

type fails struct{ engine.Dispatcher }

func (f *fails) HandleWrite() error { panicking(errHandler); return nil }
