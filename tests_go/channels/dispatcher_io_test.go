package channels

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

func TestSendAndRecvOnALostConnection(t *testing.T) {
	m := newMap(t, "")
	c, peer := connection(t, m)
	c.closed = func() error { return nil }
	require.NoError(t, peer.Close())
	n, err := c.Send([]byte("x"))
	assert.ErrorIs(t, err, unix.EPIPE)
	assert.Zero(t, n)
	assert.Equal(t, []string{"close"}, c.seen)
	n, err = c.Recv(m.Buffer())
	assert.Equal(t, io.EOF, err)
	assert.Zero(t, n)
	assert.Equal(t, []string{"close", "close"}, c.seen)
	require.NoError(t, c.Close())
	_, err = c.Recv(m.Buffer())
	assert.ErrorIs(t, err, net.ErrClosed)
	_, err = c.Send([]byte("x"))
	assert.ErrorIs(t, err, net.ErrClosed)
	assert.Equal(t, []string{"close", "close"}, c.seen, "it is closed already")
}

func TestSendAndRecvThatWouldBlock(t *testing.T) {
	m := newMap(t, "")
	c, _ := connection(t, m)
	_, err := c.Recv(m.Buffer())
	assert.Equal(t, engine.ErrWouldBlock, err)
	assert.ErrorIs(t, err, unix.EAGAIN)
	fds.Fill(t, c.Socket().FD())
	n, err := c.Send([]byte("x"))
	assert.Equal(t, engine.ErrWouldBlock, err)
	assert.Zero(t, n)
	assert.Empty(t, c.seen)
}

func TestOperationsWithoutASocket(t *testing.T) {
	c := newChannel(t, newMap(t, ""), nil)
	_, _, err := c.Accept()
	for _, err := range []error{err, c.Bind("127.0.0.1:0"), c.Connect("127.0.0.1:1"), c.AddChannel()} {
		assert.ErrorContains(t, err, "the channel has no socket yet")
	}
	_, err = c.Send([]byte("x"))
	assert.ErrorIs(t, err, unix.ENOTCONN)
	_, err = c.Recv(make([]byte, 1))
	assert.ErrorIs(t, err, unix.ENOTCONN)
	assert.NoError(t, c.Close())
	assert.NoError(t, c.Close())
	assert.Nil(t, c.Endpoint())
}

func TestErrorsSayTheOperation(t *testing.T) {
	m := newMap(t, "")
	server, at := listening(t, m, "tcp", "127.0.0.1:0")
	c := newChannel(t, m, nil)
	require.NoError(t, c.CreateSocket("tcp"))
	err := c.Bind(at)
	assert.ErrorIs(t, err, unix.EADDRINUSE)
	assert.ErrorContains(t, err, "bind: ")
	assert.ErrorIs(t, c.CreateSocket("ipx"), unix.EPROTONOSUPPORT)
	assert.EqualError(t, c.Bind("example.org:80"), "bind: address example.org:80: the host is not an IP address")
	assert.ErrorIs(t, c.Connect("[::1]:80"), unix.EAFNOSUPPORT)
	assert.EqualError(t, c.Connect("127.0.0.1"), "connect: address 127.0.0.1: missing port in address")
	assert.ErrorContains(t, c.Connect("127.0.0.1:http"), "the port is not a number")
	_, err = server.Recv(m.Buffer())
	assert.ErrorIs(t, err, unix.ENOTCONN) // a lost connection
	assert.Equal(t, []string{"close"}, server.seen)
}

func TestSocketsAreNonBlockingAndCloseOnExec(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		server, at := listening(t, m, "tcp", "127.0.0.1:0")
		client := newChannel(t, m, nil)
		require.NoError(t, client.Dial("tcp", at))
		server.accepted = func(sock *engine.Socket, _ engine.Addr) error {
			for _, fd := range []int{server.Socket().FD(), client.Socket().FD(), sock.FD()} {
				flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
				assert.NoError(t, err)
				assert.NotZero(t, flags&unix.FD_CLOEXEC)
				flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
				assert.NoError(t, err)
				assert.NotZero(t, flags&unix.O_NONBLOCK)
			}
			return sock.Close()
		}
		loopUntil(t, m, func() bool { return len(server.seen) > 0 })
	})
}

func TestDescription(t *testing.T) {
	m := newMap(t, "")
	server, at := listening(t, m, "tcp", "127.0.0.1:0")
	assert.Regexp(t, `^<\*channels.channel listening `+at+` at 0x[0-9a-f]+>$`, server.String())
	client := newChannel(t, m, nil)
	assert.Regexp(t, `^<\*channels.channel at 0x[0-9a-f]+>$`, client.String())
	require.NoError(t, client.Dial("tcp", at))
	loopUntil(t, m, client.Connected)
	assert.Regexp(t, `^<\*channels.channel connected `+at+` at 0x[0-9a-f]+>$`, client.String())
	local, err := client.Socket().LocalAddr()
	require.NoError(t, err)
	assert.Equal(t, "tcp", local.Network())
}
