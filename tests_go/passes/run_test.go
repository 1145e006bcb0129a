package passes

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

func TestChannelsAreAskedCountTimes(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, _ := fds.Pair(t)
		for _, count := range []int{1, 2, 7} {
			src := once(want(a, write))
			run(t, s, src, m, count, long)
			require.Len(t, src.steps, count+1)
			assert.Empty(t, src.steps[0].ready)
			for i, step := range src.steps[1:] {
				assert.Equal(t, []poller.Ready{is(a, write)}, step.ready)
				assert.Equal(t, i+1 < count, step.collect)
			}
		}
	})
}

func TestNothingHappensInARunOfNoPasses(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		src := once()
		run(t, s, src, selector.Select, 0, -1)
		assert.Empty(t, src.steps)
	})
}

func TestEmptySourceEndsTheRunAtOnce(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		fd := fds.Closed(t) // applying its change would be an error
		src := &source{step: func(int, []poller.Ready, bool) ([]selector.Change, bool) {
			return []selector.Change{want(fd, read)}, false
		}}
		run(t, s, src, selector.Select, -1, -1)
		assert.Len(t, src.steps, 1)
	})
}

func TestSourceEndsAnEndlessRun(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		a, _ := fds.Pair(t)
		src := &source{step: func(i int, _ []poller.Ready, _ bool) ([]selector.Change, bool) {
			if i == 0 {
				return []selector.Change{want(a, write)}, true
			}
			return nil, i < 100
		}}
		run(t, s, src, selector.Select, -1, -1)
		assert.Len(t, src.steps, 101)
	})
}

func TestTimeoutGoesByWithNothingToWaitFor(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		for _, timeout := range []time.Duration{0, 1, time.Microsecond, 1500 * time.Microsecond, 5 * time.Millisecond} {
			src, began := once(), time.Now()
			run(t, s, src, m, 2, timeout)
			assert.GreaterOrEqual(t, time.Since(began), 2*timeout)
			require.Len(t, src.steps, 3)
			assert.Empty(t, src.steps[2].ready)
		}
	})
}

func TestHugeTimeout(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		a, _ := fds.Pair(t)
		const huge = time.Duration(1<<63 - 1)
		assert.NotEmpty(t, found(t, s, once(want(a, write)), selector.Select, huge))
	})
}

func TestReadyAreToldInMapOrder(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		const channels = 150 // more than the selector has room for at first
		var changes []selector.Change
		var expected []poller.Ready
		for i := range channels {
			a, _ := fds.Pair(t)
			// Neither by number nor by the time of becoming ready.
			c := selector.Change{FD: int32(a), Want: write, Order: uint64(i*37%channels) << 40}
			changes = append(changes, c)
		}
		changes = append(changes, selector.Change{FD: int32(fds.Regular(t)), Want: write, Order: 75<<40 + 1})
		inOrder := slices.SortedFunc(slices.Values(changes), func(a, b selector.Change) int {
			return int(int64(a.Order>>32) - int64(b.Order>>32) + int64(a.Order&1) - int64(b.Order&1))
		})
		for _, c := range inOrder {
			expected = append(expected, poller.Ready{FD: c.FD, Events: write})
		}
		assert.Equal(t, expected, found(t, s, once(changes...), m, long))
	})
}

func TestWhatIsWantedIsRememberedBetweenRuns(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, b := fds.Pair(t)
		assert.Empty(t, found(t, s, once(want(a, read)), m, 0))
		fds.Send(t, b)
		assert.Equal(t, []poller.Ready{is(a, read)}, found(t, s, once(), m, long))
		assert.Equal(t, []poller.Ready{is(a, write)}, found(t, s, once(want(a, write)), m, long))
		assert.Empty(t, found(t, s, once(want(a, 0)), m, 0))
		assert.Zero(t, s.Poller().Len())
	})
}

func TestOnlyReadAndWriteAreWanted(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, b := fds.Pair(t)
		fds.Send(t, b)
		assert.Empty(t, found(t, s, once(want(a, poller.Hangup)), m, 0))
		assert.Equal(t, []poller.Ready{is(a, read)}, found(t, s, once(want(a, ^write)), m, long))
	})
}

func TestAnotherOrderIsAnotherChannel(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, _ := fds.Pair(t)
		c, d := fds.Pair(t)
		assert.Empty(t, found(t, s, once(want(a, read)), m, 0))
		require.NoError(t, fds.Dup2(c, a))
		src := once(selector.Change{FD: int32(a), Want: read, Order: 1 << 40})
		assert.Empty(t, found(t, s, src, m, 0))
		fds.Send(t, d)
		assert.Equal(t, []poller.Ready{is(a, read)}, found(t, s, src, m, long))
	})
}

func TestRunInsideARunIsRefused(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		src := &source{step: func(int, []poller.Ready, bool) ([]selector.Change, bool) {
			err := s.Run(once(), selector.Options{Count: 1})
			assert.ErrorIs(t, err, selector.ErrRunning)
			return nil, false
		}}
		run(t, s, src, selector.Select, 1, 0)
		assert.Len(t, src.steps, 1)
		run(t, s, once(), selector.Select, 1, 0)
	})
}

func TestRunAfterAPanicInTheSource(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		src := &source{step: func(int, []poller.Ready, bool) ([]selector.Change, bool) { panic("handler") }}
		assert.PanicsWithValue(t, "handler", func() { _ = s.Run(src, selector.Options{Count: 1}) })
		run(t, s, once(), selector.Select, 1, 0)
	})
}

func TestClosedSelectorSaysSo(t *testing.T) {
	for _, name := range poller.Names() {
		p, err := poller.Open(name)
		require.NoError(t, err)
		s := selector.New(p)
		require.NoError(t, s.Close())
		assert.Error(t, s.Run(once(), selector.Options{Count: 1}))
	}
}

func TestAbandonedSelectorClosesNothing(t *testing.T) {
	for _, name := range poller.Names() {
		p, err := poller.Open(name)
		require.NoError(t, err)
		s, fds := selector.New(p), p.FDs()
		assert.Equal(t, p.WakeFD(), s.WakeFD())
		s.Abandon()
		assert.Error(t, s.Run(once(), selector.Options{Count: 1}))
		for _, fd := range fds {
			assert.NoError(t, unix.Close(fd))
		}
	}
}

func TestALoopAllocatesNothing(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		busy, _ := fds.Pair(t)
		also, _ := fds.Pair(t)
		idle, _ := fds.Pair(t)
		src := &steady{changes: []selector.Change{want(busy, write), want(also, write), want(idle, read)}}
		run(t, s, src, m, 10, 0)
		for _, timeout := range []time.Duration{0, time.Second, -1} {
			assert.Zero(t, testing.AllocsPerRun(5, func() {
				_ = s.Run(src, selector.Options{Timeout: timeout, Meaning: m, Count: 500})
			}))
		}
		src.changes = []selector.Change{want(busy, 0), want(also, 0)}
		run(t, s, src, m, 1, 0)
		assert.Zero(t, testing.AllocsPerRun(5, func() {
			_ = s.Run(src, selector.Options{Meaning: m, Count: 500})
		}))
	})
}

// steady is a source that keeps no books.
type steady struct{ changes []selector.Change }

func (s *steady) Step([]poller.Ready, bool) ([]selector.Change, bool) {
	changes := s.changes
	s.changes = s.changes[:0]
	return changes, true
}

func (s *steady) Interrupted() bool { return true }

func (*steady) Holds(int32, uint64) bool { return true }
