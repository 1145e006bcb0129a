package passes

import (
	"runtime"
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

// signalled runs src on a thread of its own and sends that signals until it ends.
func signalled(t *testing.T, s *selector.Selector, src *source, o selector.Options) {
	thread, done := make(chan int), make(chan error)
	var waiting atomic.Bool
	step := src.step
	src.step = func(i int, ready []poller.Ready, collect bool) ([]selector.Change, bool) {
		waiting.Store(true)
		return step(i, ready, collect)
	}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		done <- s.Run(src, o)
	}()
	id := <-thread
	for {
		select {
		case err := <-done:
			require.NoError(t, err)
			return
		default:
			// The runtime's own signal: it has a handler already, which does nothing.
			if waiting.Load() {
				require.NoError(t, unix.Tgkill(unix.Getpid(), id, unix.SIGURG))
			}
			runtime.Gosched()
		}
	}
}

func TestSignalMayEndTheRun(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		src := once()
		src.interrupted = func() bool { return false }
		signalled(t, s, src, selector.Options{Timeout: -1, Count: -1})
		assert.Equal(t, 1, src.signals)
		assert.Len(t, src.steps, 1)
	})
}

func TestWaitGoesOnAfterASignal(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, b := fds.Pair(t)
		src := once(want(a, read))
		src.interrupted = func() bool {
			if src.signals == 10 {
				fds.Send(t, b)
			}
			return true
		}
		signalled(t, s, src, selector.Options{Timeout: -1, Meaning: m, Count: 1})
		assert.GreaterOrEqual(t, src.signals, 10)
		require.Len(t, src.steps, 2)
		assert.Equal(t, []poller.Ready{is(a, read)}, src.steps[1].ready)
	})
}

func TestSignalsDoNotProlongTheTimeout(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		src := once()
		signalled(t, s, src, selector.Options{Timeout: 30 * time.Millisecond, Count: 1})
		assert.Len(t, src.steps, 2)
	})
}

func TestASignalShowsWhatIsClosedAndGivenUp(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, _ := fds.Pair(t)
		gone := copyOf(t, a)
		src := once(want(a, read), want(gone, read))
		src.holds = func(fd int32, _ uint64) bool { return int(fd) != gone }
		src.interrupted = func() bool {
			if src.signals == 1 {
				assert.NoError(t, unix.Close(gone))
			}
			return true
		}
		signalled(t, s, src, selector.Options{Timeout: -1, Meaning: m, Count: 1})
		assert.Equal(t, []step{{nil, true}, {nil, false}}, src.steps)
	})
}
