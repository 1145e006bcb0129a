// Package channels tests engine and engine/chat from outside, on every poller of the platform.
package channels

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/socket"
)

// long is for waits that something ends; a test that needs it all has failed.
const long = time.Minute

// onEachMap runs test with a fresh map on every kind of poller.
func onEachMap(t *testing.T, test func(t *testing.T, m *engine.Map)) {
	for _, name := range poller.Names() {
		t.Run(name, func(t *testing.T) { test(t, newMap(t, name)) })
	}
}

func newMap(t *testing.T, poller string) *engine.Map {
	m := engine.NewMapOn(poller)
	t.Cleanup(func() {
		require.NoError(t, m.CloseAll())
		require.NoError(t, m.Close())
	})
	return m
}

// onEachMapAndMeaning is onEachMap with both meanings of ready.
func onEachMapAndMeaning(t *testing.T, test func(t *testing.T, m *engine.Map, meaning engine.Option)) {
	for name, meaning := range map[string]engine.Option{
		"select": func() engine.Option { return engine.WithCount(-1) }(),
		"poll":   engine.WithPoll(),
	} {
		t.Run(name, func(t *testing.T) {
			onEachMap(t, func(t *testing.T, m *engine.Map) { test(t, m, meaning) })
		})
	}
}

// loopUntil makes passes until done holds. A test in which it never does runs into a panic, with
// everybody's stack, when go test's time is over.
func loopUntil(t *testing.T, m *engine.Map, done func() bool, opts ...engine.Option) {
	for !done() {
		require.NotZero(t, m.Len(), "the map is empty and what was waited for has not happened")
		require.NoError(t, m.Loop(append(opts, engine.WithTimeout(long), engine.WithCount(1))...))
	}
}

// onePass makes a pass that waits for nothing.
func onePass(t *testing.T, m *engine.Map, opts ...engine.Option) {
	require.NoError(t, m.Loop(append(opts, engine.WithTimeout(0), engine.WithCount(1))...))
}

// ends are the two ends of a connection. Unlike fds.Pair's numbers they know that they are closed.
func ends(t *testing.T) (a, b *engine.Socket) {
	both := stream(t)
	return both[0], both[1]
}

// stream is ends for benchmarks too.
func stream(t testing.TB) (both [2]*engine.Socket) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	for i := range both {
		both[i], err = socket.Adopt(&raw{fd: ends[i]})
		require.NoError(t, err)
		t.Cleanup(func() { both[i].Close() })
	}
	return both
}

// channel is a Dispatcher whose handlers are functions; those that are nil do the default, as far
// as a handler can.
type channel struct {
	engine.Dispatcher
	seen     []string
	read     func() error
	write    func() error
	closed   func() error
	connect  func() error
	accepted func(*engine.Socket, engine.Addr) error
	failed   func(error) error
}

func (c *channel) note(event string, do func() error) error {
	c.seen = append(c.seen, event)
	if do == nil {
		return nil
	}
	return do()
}

func (c *channel) HandleRead() error    { return c.note("read", c.read) }
func (c *channel) HandleWrite() error   { return c.note("write", c.write) }
func (c *channel) HandleExpt() error    { return c.note("expt", nil) }
func (c *channel) HandleConnect() error { return c.note("connect", c.connect) }

func (c *channel) HandleClose() error {
	if c.closed == nil {
		c.closed = c.Close
	}
	return c.note("close", c.closed)
}

func (c *channel) HandleAccepted(sock *engine.Socket, from engine.Addr) error {
	if c.accepted == nil {
		return c.note("accepted", sock.Close)
	}
	return c.note("accepted", func() error { return c.accepted(sock, from) })
}

func (c *channel) HandleError(err error) error {
	if c.failed == nil {
		return err
	}
	return c.note("error", func() error { return c.failed(err) })
}

// newChannel is a channel in m around sock, which only reads until told otherwise.
func newChannel(t *testing.T, m *engine.Map, sock socket.Endpoint) *channel {
	c := &channel{}
	c.Init(c, m)
	c.SetWritable(false)
	if sock != nil {
		require.NoError(t, c.Attach(sock))
	}
	return c
}

// connection is a channel on one end of a connection, and the other end.
func connection(t *testing.T, m *engine.Map) (c *channel, peer *engine.Socket) {
	a, peer := ends(t)
	return newChannel(t, m, a), peer
}

// listening is a channel that listens on the network, and its address.
func listening(t *testing.T, m *engine.Map, network, address string) (*channel, string) {
	c := newChannel(t, m, nil)
	require.NoError(t, c.Listen(network, address))
	at, err := c.Socket().LocalAddr()
	require.NoError(t, err)
	return c, at.String()
}

// receiving is the address of a server, and what it has received.
func receiving(t *testing.T, m *engine.Map) (at string, got *[]byte) {
	server, at := listening(t, m, "tcp", "127.0.0.1:0")
	got = new([]byte)
	server.accepted = func(sock *engine.Socket, _ engine.Addr) error {
		r := newChannel(t, m, sock)
		r.read = func() error {
			n, err := r.Recv(m.Buffer())
			*got = append(*got, m.Buffer()[:n]...)
			return err
		}
		return nil
	}
	return at, got
}

// cancelled is a context that has ended.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// text receives what there is.
func text(t *testing.T, s *engine.Socket) string {
	buf := make([]byte, 1<<16)
	n, err := s.Recv(buf)
	if err == engine.ErrWouldBlock || err == io.EOF {
		return ""
	}
	require.NoError(t, err)
	return string(buf[:n])
}

// say sends text.
func say(t *testing.T, s *engine.Socket, text string) {
	n, err := s.Send([]byte(text))
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}
