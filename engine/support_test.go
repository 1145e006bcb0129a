package engine

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// script is a Source that hands out changes, one Step after the other, and keeps the last ready.
type script struct {
	changes [][]Change
	steps   int
	last    []Ready
	more    func(s *script) bool // nil: always
}

func (s *script) Step(ready []Ready, _ bool) (changes []Change, more bool) {
	s.last = append(s.last[:0], ready...)
	if s.steps < len(s.changes) {
		changes = s.changes[s.steps]
	}
	s.steps++
	return changes, s.more == nil || s.more(s)
}

func (s *script) Interrupted() bool { return true }

// wait is p.Wait, begun again when a signal ends it: Go's runtime sends itself some.
func wait(p Poller, ready []Ready, timeout time.Duration) (n int, err error) {
	for {
		if n, err = p.Wait(ready, timeout); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// told is what one pass tells.
func told(t *testing.T, s *Selector, o Options, changes ...Change) []Ready {
	src := &script{changes: [][]Change{changes}}
	o.Count = 1
	require.NoError(t, s.Run(src, o))
	return src.last
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
