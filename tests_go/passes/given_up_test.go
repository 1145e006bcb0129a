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

// aWait is how long the waits of these tests take: longer than it is until a descriptor that is
// closed shows in a poller or in an audit.
const aWait = 50 * time.Millisecond

// copyOf is another number of fd's open file, one that nothing opened meanwhile gets once it is closed.
func copyOf(t *testing.T, fd int) int {
	copied, err := unix.Dup(fd)
	require.NoError(t, err)
	return fds.High(t, copied, 900)
}

// whileWaiting calls act in another goroutine once src has been asked.
func whileWaiting(src *source, act func()) (done chan struct{}) {
	done = make(chan struct{})
	ask := src.step
	src.step = func(i int, ready []poller.Ready, collect bool) ([]selector.Change, bool) {
		if i == 0 {
			go func() {
				defer close(done)
				time.Sleep(aWait / 5) // the wait begins; if it has not, the promise is the same
				act()
			}()
		}
		return ask(i, ready, collect)
	}
	return done
}

func TestWhatIsClosedDuringTheWaitAndGivenUpEndsNothing(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, _ := fds.Pair(t)
		gone := copyOf(t, a)
		src := once(want(a, read), want(gone, read))
		src.holds = func(fd int32, _ uint64) bool { return int(fd) != gone }
		done := whileWaiting(src, func() { assert.NoError(t, unix.Close(gone)) })
		began := time.Now()
		require.NoError(t, s.Run(src, selector.Options{Timeout: aWait, Meaning: m, Count: 1}))
		<-done
		assert.GreaterOrEqual(t, time.Since(began), aWait)
		if s.Poller().Name() == "select" {
			src.steps[1].ready = nil // Linux ends select(2) with both, and so 3.11's loop did
		}
		assert.Equal(t, []step{{nil, true}, {nil, false}}, src.steps)
	})
}
