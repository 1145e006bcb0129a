package selector

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/fdtest"
	"github.com/goasyncore/goasyncore/engine/poller"
)

// echoing is a source whose channel reads what its peer wrote, and has the peer write again.
type echoing struct {
	changes []Change
	fd      int
	peer    int
	buf     [64]byte
}

func (s *echoing) Step(ready []poller.Ready, _ bool) ([]Change, bool) {
	if len(ready) > 0 && s.peer >= 0 {
		unix.Read(s.fd, s.buf[:])
		unix.Write(s.peer, s.buf[:])
	}
	changes := s.changes
	s.changes = s.changes[:0]
	return changes, true
}

func (s *echoing) Interrupted() bool { return true }

func (*echoing) Holds(int32, uint64) bool { return true }

// benchmarkPass measures passes over idle channels that want to read, and what the rest is.
func benchmarkPass(b *testing.B, timeout time.Duration, active Change, src *echoing) {
	idle, _ := fdtest.Pair(b)
	for _, name := range poller.Names() {
		for _, n := range []int{0, 100, 9000} {
			b.Run(fmt.Sprintf("%s/idle=%d", name, n), func(b *testing.B) {
				p, err := poller.Open(name)
				require.NoError(b, err)
				s := New(p)
				defer s.Close()
				src.changes = nil
				if active.Want != 0 {
					src.changes = append(src.changes, active)
				}
				for i := range n {
					src.changes = append(src.changes, Change{int32(fdtest.CopyOf(b, idle, 20)), poller.Read, uint64(i + 1)})
				}
				require.NoError(b, s.Run(src, Options{Timeout: timeout, Count: 1}))
				b.ReportAllocs()
				b.ResetTimer()
				require.NoError(b, s.Run(src, Options{Timeout: timeout, Count: b.N}))
			})
		}
	}
}

func BenchmarkPassThatFindsNothing(b *testing.B) {
	benchmarkPass(b, 0, Change{}, &echoing{peer: -1})
}

func BenchmarkPassWithOneReady(b *testing.B) {
	writer, _ := fdtest.Pair(b)
	// No peer to write to: what is measured is the loop.
	benchmarkPass(b, -1, Change{int32(writer), poller.Write, 0}, &echoing{peer: -1})
}

func BenchmarkPassWithOneEcho(b *testing.B) {
	reader, peer := fdtest.Pair(b)
	fdtest.Feed(b, peer)
	benchmarkPass(b, -1, Change{int32(reader), poller.Read, 0}, &echoing{fd: reader, peer: peer})
}
