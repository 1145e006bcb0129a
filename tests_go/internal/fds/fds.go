// Package fds opens descriptors for the tests of the engine, and moves data through them.
package fds

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Closing closes fd when the test ends, unless somebody did.
func Closing(t *testing.T, fd int) int {
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// Pair is a connected pair of non-blocking stream sockets.
func Pair(t *testing.T) (a, b int) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	for _, fd := range ends {
		unix.CloseOnExec(fd)
		require.NoError(t, unix.SetNonblock(fd, true))
	}
	return Closing(t, ends[0]), Closing(t, ends[1])
}

// TCP is a connected pair of TCP sockets.
func TCP(t *testing.T) (a, b int) {
	server, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer unix.Close(server)
	require.NoError(t, unix.Bind(server, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(server, 1))
	address, err := unix.Getsockname(server)
	require.NoError(t, err)
	a, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	Closing(t, a)
	require.NoError(t, unix.Connect(a, address))
	b, _, err = unix.Accept(server)
	require.NoError(t, err)
	return a, Closing(t, b)
}

// Send puts something to read at the other end of fd.
func Send(t *testing.T, fd int) {
	n, err := unix.Write(fd, []byte("x"))
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// Take reads what Send sent.
func Take(t *testing.T, fd int) {
	n, err := unix.Read(fd, make([]byte, 1))
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// Fill writes to fd until it is not writable any more.
func Fill(t *testing.T, fd int) {
	for chunk := make([]byte, 4096); ; {
		if _, err := unix.Write(fd, chunk); err != nil {
			require.ErrorIs(t, err, unix.EAGAIN)
			return
		}
	}
}

// Regular is the descriptor of an empty regular file.
func Regular(t *testing.T) int {
	f, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer f.Close()
	fd, err := unix.Dup(int(f.Fd()))
	require.NoError(t, err)
	return Closing(t, fd)
}

// High moves fd to a number that nothing opened meanwhile gets once it is closed.
func High(t *testing.T, fd, above int) int {
	moved, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, above)
	require.NoError(t, err)
	require.NoError(t, unix.Close(fd))
	return Closing(t, moved)
}

// Closed is a number that is no descriptor, and stays none.
func Closed(t *testing.T) int {
	a, _ := Pair(t)
	fd := High(t, a, 900)
	require.NoError(t, unix.Close(fd))
	return fd
}

// AssertEnded waits until the other end of conn is closed.
func AssertEnded(t *testing.T, conn net.Conn) {
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err := conn.Read(make([]byte, 1))
	if !errors.Is(err, unix.ECONNRESET) {
		assert.Equal(t, io.EOF, err)
	}
}

// Pattern is n bytes that do not repeat soon.
func Pattern(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return data
}
