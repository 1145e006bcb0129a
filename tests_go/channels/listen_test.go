package channels

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"

	"github.com/goasyncore/goasyncore/engine/socket"
)

// descriptors is how many this process has.
func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc")
	}
	return len(entries)
}

func TestListenLooksNamesUpAndSaysWhereItListens(t *testing.T) {
	m := newMap(t, "")
	c := newChannel(t, m, nil)
	require.NoError(t, c.Listen("tcp", "localhost:0"))
	assert.True(t, c.Accepting())
	assert.NotZero(t, c.Addr().AddrPort().Port())
	assert.Contains(t, c.String(), "listening "+c.Addr().String())

	by := newChannel(t, m, nil)
	err := by.Dial("tcp", "localhost:no-such-service")
	assert.ErrorContains(t, err, "no-such-service")
	var lookup *net.DNSError
	assert.ErrorAs(t, by.Dial("tcp", "no-such-host.invalid:80"), &lookup)
	assert.ErrorContains(t, by.Listen("tcp", "localhost"), "missing port")
	assert.ErrorContains(t, by.Listen("tcp", "127.0.0.1:65536"), "65536")
	assert.ErrorIs(t, by.Listen("ipx", "localhost:1"), unix.EPROTONOSUPPORT)
	assert.Nil(t, by.Endpoint())

	datagrams := newChannel(t, m, nil)
	require.NoError(t, datagrams.Listen("udp", "localhost:0"))
	assert.False(t, datagrams.Accepting())
	path := newChannel(t, m, nil)
	require.NoError(t, path.Listen("unix", filepath.Join(t.TempDir(), "socket")))
}

func TestListenThatFailsLeavesNothingBehind(t *testing.T) {
	m := newMap(t, "")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	onePass(t, m)
	before := descriptors(t)
	c := newChannel(t, m, nil)
	err = c.Listen("tcp", taken.Addr().String())
	assert.ErrorIs(t, err, unix.EADDRINUSE)
	assert.EqualError(t, err, "listen tcp "+taken.Addr().String()+": bind: address already in use")
	assert.Zero(t, m.Len())
	assert.False(t, c.Accepting())
	assert.Nil(t, c.Endpoint())
	assert.ErrorIs(t, c.Listen("tcp", "127.0.0.1:0", func(*engine.Socket) error { return errHandler }), errHandler)
	assert.ErrorIs(t, c.Dial("tcp", "127.0.0.1:1", func(*engine.Socket) error { return errHandler }), errHandler)
	assert.Error(t, c.Dial("unix", filepath.Join(t.TempDir(), "nobody")))
	assert.Zero(t, m.Len())
	assert.Equal(t, before, descriptors(t))
	require.NoError(t, c.Listen("tcp", "127.0.0.1:0"), "another attempt")
	assert.ErrorContains(t, c.Listen("tcp", "127.0.0.1:0"), "has a socket already")
	assert.ErrorContains(t, c.Dial("tcp", "127.0.0.1:1"), "has a socket already")
	assert.True(t, c.Accepting())
}

func TestDialNamesTheAddressThatRefuses(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		s, err := socket.New("tcp")
		require.NoError(t, err)
		defer s.Close() // bound, but not listening: refused for sure
		at, err := socket.ParseAddr("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, s.Bind(at))
		at, err = s.LocalAddr()
		require.NoError(t, err)
		c := newChannel(t, m, nil)
		var failure error
		c.failed = func(err error) error { failure = err; return c.Close() }
		require.NoError(t, c.Dial("tcp", at.String()))
		loopUntil(t, m, func() bool { return failure != nil }, meaning)
		assert.EqualError(t, failure, "dial tcp "+at.String()+": connect: connection refused")
	})
}

func TestSocketOptions(t *testing.T) {
	m := newMap(t, "")
	c := newChannel(t, m, nil)
	require.NoError(t, c.Listen("tcp", "127.0.0.1:0", (*engine.Socket).SetReusePort,
		func(s *engine.Socket) error { return s.SetReadBuffer(1 << 16) }))
	again := newChannel(t, m, nil)
	require.NoError(t, again.Listen("tcp", c.Addr().String(), (*engine.Socket).SetReusePort))
	assert.Equal(t, c.Addr(), again.Addr())

	s, err := socket.New("tcp")
	require.NoError(t, err)
	defer s.Close()
	value := func(level, option int) int {
		v, err := unix.GetsockoptInt(s.FD(), level, option)
		require.NoError(t, err)
		return v
	}
	require.NoError(t, s.SetNoDelay(true))
	assert.NotZero(t, value(unix.IPPROTO_TCP, unix.TCP_NODELAY))
	require.NoError(t, s.SetNoDelay(false))
	assert.Zero(t, value(unix.IPPROTO_TCP, unix.TCP_NODELAY))
	require.NoError(t, s.SetKeepAlive(long))
	assert.NotZero(t, value(unix.SOL_SOCKET, unix.SO_KEEPALIVE))
	require.NoError(t, s.SetKeepAlive(0))
	assert.Zero(t, value(unix.SOL_SOCKET, unix.SO_KEEPALIVE))
	require.NoError(t, s.SetReadBuffer(1<<15))
	assert.GreaterOrEqual(t, value(unix.SOL_SOCKET, unix.SO_RCVBUF), 1<<15)
	require.NoError(t, s.SetWriteBuffer(1<<15))
	assert.GreaterOrEqual(t, value(unix.SOL_SOCKET, unix.SO_SNDBUF), 1<<15)
	require.NoError(t, s.Close())
	assert.ErrorIs(t, s.SetNoDelay(true), unix.EBADF)
}

func TestConnHandsTheConnectionOver(t *testing.T) {
	a, b, err := socket.NewPair()
	require.NoError(t, err)
	defer a.Close()
	conn, err := b.Conn()
	require.NoError(t, err)
	defer conn.Close()
	assert.Equal(t, -1, b.FD())
	say(t, a, "hello")
	buffer := make([]byte, 5)
	_, err = conn.Read(buffer)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(buffer))
	require.NoError(t, conn.(*net.UnixConn).CloseWrite())
	m := newMap(t, "")
	c := newChannel(t, m, a)
	loopUntil(t, m, func() bool { return len(c.seen) > 0 })
	_, err = b.Conn()
	assert.ErrorIs(t, err, unix.EBADF)
}

func TestAnEmptyDatagramIsNotTheEnd(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		server := newChannel(t, m, nil)
		require.NoError(t, server.Listen("udp", "127.0.0.1:0"))
		var got []string
		server.read = func() error {
			n, err := server.Recv(m.Buffer())
			if err == nil {
				got = append(got, string(m.Buffer()[:n]))
			}
			return err
		}
		client := newChannel(t, m, nil)
		require.NoError(t, client.Dial("udp", server.Addr().String()))
		for _, text := range []string{"", "x"} {
			_, err := client.Send([]byte(text))
			require.NoError(t, err)
		}
		loopUntil(t, m, func() bool { return len(got) == 2 }, meaning)
		assert.Equal(t, []string{"", "x"}, got)
		assert.NotContains(t, server.seen, "close")
	})
}
