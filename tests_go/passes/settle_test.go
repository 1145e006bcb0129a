package passes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

// due answers each of times in turn, then that it does not mind.
func due(times ...time.Duration) func() time.Duration {
	return func() time.Duration {
		if len(times) == 0 {
			return -1
		}
		first := times[0]
		times = times[1:]
		return first
	}
}

func TestWhatIsDueEndsTheWaitAndThePass(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, _ := fds.Pair(t)
		src := once(want(a, read))
		began := time.Now()
		options := selector.Options{Timeout: -1, Meaning: m, Count: 2, Due: due(5*time.Millisecond, 0)}
		require.NoError(t, s.Run(src, options))
		assert.Len(t, src.steps, 3)
		assert.GreaterOrEqual(t, time.Since(began), 5*time.Millisecond)
	})
}

func TestWhatIsDueLaterLeavesTheTimeoutAlone(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, _ := fds.Pair(t)
		src := once(want(a, read))
		options := selector.Options{Timeout: time.Millisecond, Meaning: m, Count: 3, Due: due(long, long, long)}
		require.NoError(t, s.Run(src, options))
		assert.Len(t, src.steps, 4)
	})
}

func TestDueIsAskedAgainAfterAWakeUp(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, _ := fds.Pair(t)
		src := once(want(a, read))
		require.NoError(t, s.Poller().Wake())
		options := selector.Options{Timeout: -1, Meaning: m, Count: 1, Due: due(-1, 0)}
		require.NoError(t, s.Run(src, options))
		assert.Len(t, src.steps, 2, "the wake-up is no Step of its own")
	})
}

func TestReadyDescriptorsAreToldThoughSomethingIsDue(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, _ := fds.Pair(t)
		src := once(want(a, write))
		require.NoError(t, s.Run(src, selector.Options{Timeout: -1, Meaning: m, Count: 1, Due: due(0)}))
		assert.Equal(t, []poller.Ready{is(a, write)}, src.steps[1].ready)
	})
}

// settle makes one pass that leaves the registrations to the descriptor.
func settle(t *testing.T, s *selector.Selector, src selector.Source, m selector.Meaning) {
	require.NoError(t, s.Run(src, selector.Options{Meaning: m, Count: 1, Settle: true}))
}

// becomesReadable says whether fd is readable within the time.
func becomesReadable(t *testing.T, fd int, within time.Duration) bool {
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(within/time.Millisecond))
		if err == unix.EINTR {
			continue
		}
		require.NoError(t, err)
		return n == 1
	}
}

// onEachDescriptor runs test on the selectors that have a descriptor of their own.
func onEachDescriptor(t *testing.T, test func(t *testing.T, s *selector.Selector, m selector.Meaning)) {
	with := 0
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		if name := s.Poller().Name(); name == "poll" || name == "select" {
			assert.Equal(t, -1, s.Descriptor())
			return
		}
		with++
		test(t, s, m)
	})
	assert.NotZero(t, with)
}

func TestASettledRunCollectsAfterItsLastPass(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, _ := fds.Pair(t)
		src := once(want(a, write))
		settle(t, s, src, m)
		require.Len(t, src.steps, 2)
		assert.Equal(t, step{[]poller.Ready{is(a, write)}, true}, src.steps[1])
		assert.Less(t, s.Again(), time.Duration(0))
	})
}

func TestTheDescriptorTellsWhatTheSettledRunRegistered(t *testing.T) {
	onEachDescriptor(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, b := fds.Pair(t)
		// The interest comes with the last collection, after the pass.
		src := &source{step: func(i int, _ []poller.Ready, _ bool) ([]selector.Change, bool) {
			if i == 1 {
				return []selector.Change{want(a, read)}, true
			}
			return nil, true
		}}
		settle(t, s, src, m)
		assert.False(t, becomesReadable(t, s.Descriptor(), 10*time.Millisecond))
		fds.Send(t, b)
		assert.True(t, becomesReadable(t, s.Descriptor(), long))
		settle(t, s, src, m)
		assert.Equal(t, []poller.Ready{is(a, read)}, src.steps[3].ready)
	})
}

func TestAWakeUpShowsAtTheDescriptor(t *testing.T) {
	onEachDescriptor(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, _ := fds.Pair(t)
		src := once(want(a, read))
		settle(t, s, src, m)
		require.NoError(t, s.Poller().Wake())
		assert.True(t, becomesReadable(t, s.Descriptor(), long))
		settle(t, s, src, m)
		assert.False(t, becomesReadable(t, s.Descriptor(), 10*time.Millisecond), "the run has taken it")
	})
}

func TestAgainIsAtOnceForWhatIsAlwaysReady(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		file := fds.Regular(t)
		src := once(want(file, read))
		settle(t, s, src, m)
		assert.Equal(t, []poller.Ready{is(file, read)}, src.steps[1].ready)
		if s.Descriptor() >= 0 && !becomesReadable(t, s.Descriptor(), 0) {
			assert.Equal(t, time.Duration(0), s.Again())
		}
	})
}

func TestAgainIsAtOnceForWhatIsNotOpen(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		src := once(want(fds.Closed(t), read))
		settle(t, s, src, selector.Poll)
		assert.Equal(t, time.Duration(0), s.Again())
	})
}

func TestAgainIsSoonForAHangUpThatMeansNothing(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		a, b := fds.Pair(t)
		fds.Fill(t, a)
		require.NoError(t, unix.Shutdown(b, unix.SHUT_WR))
		src := once(want(a, write))
		require.NoError(t, s.Run(src, selector.Options{Timeout: 20 * time.Millisecond, Count: 1, Settle: true}))
		again := s.Again()
		if again < 0 {
			return // this poller has no hang-up for one that waits for room
		}
		assert.LessOrEqual(t, again, time.Second)
		if s.Descriptor() >= 0 {
			assert.False(t, becomesReadable(t, s.Descriptor(), 10*time.Millisecond), "it would spin")
		}
	})
}
