package channels

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

// host listens, and does with an accepted connection what it is told to.
type host struct {
	engine.Dispatcher
	lines    []string
	accepted func(*engine.Socket) error
}

func (h *host) LogInfo(kind, message string) { h.lines = append(h.lines, kind+": "+message) }

func (h *host) HandleAccepted(sock *engine.Socket, _ engine.Addr) error { return h.accepted(sock) }

func newHost(t *testing.T, m *engine.Map) *host {
	h := &host{accepted: (*engine.Socket).Close}
	require.NoError(t, h.Init(h, m))
	require.NoError(t, h.Listen("tcp", "127.0.0.1:0"))
	return h
}

func dial(t *testing.T, to engine.Addr) net.Conn {
	conn, err := net.Dial("tcp", to.String())
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestAcceptedConnectionThatFailsEndsAlone(t *testing.T) {
	fails := map[string]func(m *engine.Map) func(*engine.Socket) error{
		"error": func(*engine.Map) func(*engine.Socket) error {
			return func(*engine.Socket) error { return errHandler }
		},
		"panic": func(*engine.Map) func(*engine.Socket) error {
			return func(*engine.Socket) error { panic(errHandler) }
		},
		"after Attach": func(m *engine.Map) func(*engine.Socket) error {
			return func(s *engine.Socket) error {
				c := &channel{}
				return errors.Join(c.Init(c, m), c.Attach(s), errHandler)
			}
		},
		"after Attach, with a Close that fails": func(m *engine.Map) func(*engine.Socket) error {
			return func(s *engine.Socket) error {
				c := &channel{closed: func() error { panic("again") }}
				return errors.Join(c.Init(c, m), c.Attach(s), errHandler)
			}
		},
		"wrong handler": func(m *engine.Map) func(*engine.Socket) error {
			return func(s *engine.Socket) error {
				c := &misread{}
				c.Init(c, m)
				return c.Attach(s)
			}
		},
	}
	for name, fail := range fails {
		t.Run(name, func(t *testing.T) {
			onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
				h := newHost(t, m)
				h.accepted = fail(m)
				for range 2 {
					h.lines = nil
					conn := dial(t, h.Addr())
					loopUntil(t, m, func() bool { return len(h.lines) > 0 }, meaning)
					assert.Contains(t, h.lines[0], "error: uncaught error, still accepting")
					fds.AssertEnded(t, conn)
					assert.Equal(t, 1, m.Len())
				}
			})
		})
	}
}

func TestExitNowFromHandleAcceptedLeavesTheConnection(t *testing.T) {
	m := newMap(t, "")
	h := newHost(t, m)
	h.accepted = func(s *engine.Socket) error {
		c := newChannel(t, m, s)
		c.SetReadable(false)
		return engine.ErrExitNow
	}
	dial(t, h.Addr())
	assert.Equal(t, engine.ErrExitNow, m.Loop())
	assert.Equal(t, 2, m.Len())
}

// scarce has the process without a free descriptor while it runs f.
func scarce(t *testing.T, f func()) {
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	probe, err := unix.Dup(0)
	require.NoError(t, err)
	unix.Close(probe)
	low := limit
	set(&low.Cur, probe) // the lowest that is free
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	defer func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)) }()
	f()
}

// set sets a limit, whose type is not the same on all systems.
func set[T int64 | uint64](limit *T, to int) { *limit = T(to) }

func TestWithoutDescriptorsAChannelRestsAndThenAccepts(t *testing.T) {
	for _, own := range []bool{false, true} {
		onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
			h := newHost(t, m)
			handler := engine.Dispatcher{}
			if own { // a HandleAccept and a HandleError of the program's
				require.NoError(t, h.Close())
				o := &ownAccept{host: h}
				require.NoError(t, o.Init(o, m))
				require.NoError(t, o.Listen("tcp", "127.0.0.1:0"))
				handler = o.Dispatcher
			} else {
				handler = h.Dispatcher
			}
			gone := 0
			h.accepted = func(s *engine.Socket) error { gone++; return s.Close() }
			onePass(t, m, meaning)
			conn := dial(t, handler.Addr())
			scarce(t, func() {
				for len(h.lines) < 2 { // it tries again
					ctx, stop := context.WithTimeout(context.Background(), 100*time.Millisecond)
					defer stop()
					assert.Equal(t, context.DeadlineExceeded, m.Loop(meaning, engine.WithContext(ctx)))
				}
			})
			assert.Zero(t, gone)
			assert.LessOrEqual(t, len(h.lines), 6, "less and less often")
			assert.Contains(t, h.lines[0], "too many open files")
			loopUntil(t, m, func() bool { return gone > 0 }, meaning)
			fds.AssertEnded(t, conn)
		})
	}
}

// ownAccept is a host that accepts by itself.
type ownAccept struct {
	engine.Dispatcher
	host *host
}

func (o *ownAccept) HandleAccept() error {
	sock, _, err := o.Accept()
	if err != nil {
		return err
	}
	return o.host.accepted(sock)
}

func (o *ownAccept) HandleError(err error) error {
	o.host.lines = append(o.host.lines, err.Error())
	return nil
}

func TestAcceptOfNobodyWouldBlock(t *testing.T) {
	h := newHost(t, newMap(t, ""))
	sock, _, err := h.Accept()
	assert.Nil(t, sock)
	assert.Equal(t, engine.ErrWouldBlock, err)
}

func TestMissingHandleAcceptedIsReported(t *testing.T) {
	m := newMap(t, "")
	l := &logging{}
	require.NoError(t, l.Init(l, m))
	require.NoError(t, l.Listen("tcp", "127.0.0.1:0"))
	conn := dial(t, l.Addr())
	loopUntil(t, m, func() bool { return len(l.lines) > 0 })
	assert.Contains(t, l.lines[0], "warning: nobody handles accepted connections")
	fds.AssertEnded(t, conn)
}

// waitReadable returns when conn has something to read, and leaves it there.
func waitReadable(conn net.Conn) error {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool {
		n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return n > 0 || err != unix.EAGAIN
	})
}
