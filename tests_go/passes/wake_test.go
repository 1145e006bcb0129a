package passes

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

func TestWakeEndsTheNextWait(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		for range 3 {
			require.NoError(t, p.Wake())
			require.NoError(t, p.Wake())
			assert.Empty(t, waitFor(t, p, -1))
		}
	})
}

func TestWakeEndsTheRunningWait(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		for range 20 {
			done := make(chan error)
			go func() {
				_, err := wait(p, nil, -1)
				done <- err
			}()
			require.NoError(t, p.Wake())
			require.NoError(t, <-done)
		}
	})
}

func TestAByteEndsTheWait(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		_, err := unix.Write(p.WakeFD(), []byte{0})
		require.NoError(t, err)
		assert.Empty(t, waitFor(t, p, -1))
	})
}

func TestAByteOfASignalIsAnInterruption(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		src := once()
		src.step = func(int, []poller.Ready, bool) ([]selector.Change, bool) {
			_, err := unix.Write(s.WakeFD(), []byte{byte(unix.SIGTERM)})
			require.NoError(t, err)
			return nil, true
		}
		src.interrupted = func() bool { return false }
		run(t, s, src, m, 1, -1)
		assert.Equal(t, 1, src.signals)
		assert.Len(t, src.steps, 1, "it is no reason to ask")
	})
}

func TestWakeComesWithWhatIsReady(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		a, b := fds.Pair(t)
		require.NoError(t, p.Add(a, read))
		fds.Send(t, b)
		require.NoError(t, p.Wake())
		assert.Equal(t, map[int]poller.Events{a: read}, waitFor(t, p, -1))
	})
}

func TestWakesThatNobodyTakesDoNotBlock(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		for range 20000 { // more than a pipe holds
			require.NoError(t, p.Wake())
		}
		assert.Empty(t, waitFor(t, p, -1))
	})
}

func TestWakingAgainstClosing(t *testing.T) {
	for _, name := range poller.Names() {
		p, err := poller.Open(name)
		require.NoError(t, err)
		var wakers sync.WaitGroup
		for range 4 {
			wakers.Add(1)
			go func() {
				defer wakers.Done()
				for p.Wake() == nil {
				}
			}()
		}
		require.NoError(t, p.Close())
		wakers.Wait()
	}
}

// Each change is made only when the one before was seen, so one lost wake-up stops the test.
func TestNoWakeUpIsLost(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		const changes, makers = 3000, 3
		var wanted, seen [makers]atomic.Int64
		acks := [makers]chan struct{}{}
		for i := range acks {
			acks[i] = make(chan struct{}, 1)
		}
		src := &source{}
		src.step = func(_ int, _ []poller.Ready, _ bool) ([]selector.Change, bool) {
			more := false
			for i := range wanted {
				if n := wanted[i].Load(); n != seen[i].Swap(n) {
					acks[i] <- struct{}{}
				}
				more = more || seen[i].Load() < changes
			}
			return nil, more
		}
		p := s.Poller()
		var all sync.WaitGroup
		for i := range makers {
			all.Add(1)
			go func() {
				defer all.Done()
				for range changes {
					wanted[i].Add(1)
					assert.NoError(t, p.Wake())
					<-acks[i]
				}
			}()
		}
		run(t, s, src, selector.Select, -1, -1)
		all.Wait()
		for i := range seen {
			assert.EqualValues(t, changes, seen[i].Load())
		}
	})
}

func TestAWakeUpEndsThePass(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		a, _ := fds.Pair(t)
		src := once(want(a, read))
		ask := src.step
		src.step = func(i int, ready []poller.Ready, collect bool) ([]selector.Change, bool) {
			assert.Empty(t, ready)
			assert.NoError(t, s.Poller().Wake())
			return ask(i, ready, collect)
		}
		run(t, s, src, selector.Select, 3, -1)
		assert.Len(t, src.steps, 4)
		assert.Equal(t, 3, src.asked())
	})
}

func TestDueDecidesWhetherAWakeUpEndsTheWait(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		a, _ := fds.Pair(t)
		src := once(want(a, read))
		asked := 0
		began := time.Now()
		options := selector.Options{Timeout: 100 * time.Millisecond, Count: 1, Due: func() time.Duration {
			if asked++; asked == 1 {
				assert.NoError(t, s.Poller().Wake())
			}
			return -1
		}}
		require.NoError(t, s.Run(src, options))
		assert.GreaterOrEqual(t, time.Since(began), 100*time.Millisecond)
		assert.Equal(t, 2, asked)
		assert.Len(t, src.steps, 2, "nobody is asked meanwhile")
	})
}
