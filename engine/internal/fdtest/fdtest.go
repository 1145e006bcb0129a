//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Package fdtest opens descriptors for the tests of the layers.
package fdtest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Pair is a connected pair of non-blocking stream sockets.
func Pair(t testing.TB) (a, b int) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	for _, fd := range ends {
		require.NoError(t, unix.SetNonblock(fd, true))
		t.Cleanup(func() { unix.Close(fd) })
	}
	return ends[0], ends[1]
}

// CopyOf is another descriptor of fd's open file, not below above.
func CopyOf(t testing.TB, fd, above int) int {
	number, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, above)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(number) })
	return number
}

// Feed puts something to read at the other end of fd.
func Feed(t testing.TB, fd int) {
	_, err := unix.Write(fd, []byte("x"))
	require.NoError(t, err)
}
