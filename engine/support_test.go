package engine

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// wait is p.Wait, begun again when a signal ends it: Go's runtime sends itself some.
func wait(p Poller, ready []Ready, timeout time.Duration) (n int, err error) {
	for {
		if n, err = p.Wait(ready, timeout); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// pair is a connected pair of non-blocking stream sockets.
func pair(t testing.TB) (a, b int) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	for _, fd := range ends {
		require.NoError(t, unix.SetNonblock(fd, true))
		t.Cleanup(func() { unix.Close(fd) })
	}
	return ends[0], ends[1]
}

// copyOf is another descriptor of fd's open file, not below above.
func copyOf(t testing.TB, fd, above int) int {
	number, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, above)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(number) })
	return number
}

// feed puts something to read at the other end of fd.
func feed(t testing.TB, fd int) {
	_, err := unix.Write(fd, []byte("x"))
	require.NoError(t, err)
}
