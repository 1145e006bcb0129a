package passes

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

func TestSelectRefusesWhatIsNotOpen(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		fd := fds.Closed(t)
		a, _ := fds.Pair(t)
		// As long as it is in the map, and not once it is out.
		assert.ErrorIs(t, s.Run(once(want(fd, read), want(a, write)), selector.Options{Count: 1}), unix.EBADF)
		assert.ErrorIs(t, s.Run(once(), selector.Options{Count: 1}), unix.EBADF)
		assert.Equal(t, []poller.Ready{is(a, write)}, found(t, s, once(want(fd, 0)), selector.Select, long))
	})
}

func TestPollTellsWhatIsNotOpenInEachPass(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		fd := fds.Closed(t)
		a, _ := fds.Pair(t)
		src := once(want(fd, read), want(a, write))
		run(t, s, src, selector.Poll, 3, -1)
		for _, step := range src.steps[1:] {
			assert.Equal(t, []poller.Ready{is(a, write), is(fd, poller.Invalid)}, step.ready)
		}
		assert.Equal(t, []poller.Ready{is(a, write)}, found(t, s, once(want(fd, 0)), selector.Poll, long))
	})
}

func TestWhatWasNotOpenIsTriedAgain(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		fd := fds.Closed(t)
		a, b := fds.Pair(t)
		src := once(want(fd, read))
		assert.Equal(t, []poller.Ready{is(fd, poller.Invalid)}, found(t, s, src, selector.Poll, -1))
		require.NoError(t, fds.Dup2(a, fd))
		fds.Closing(t, fd)
		assert.Empty(t, found(t, s, once(), selector.Poll, 0))
		fds.Send(t, b)
		for _, m := range meanings {
			assert.Equal(t, []poller.Ready{is(fd, read)}, found(t, s, once(), m, long))
		}
	})
}

func TestNumbersThatNoDescriptorHas(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		for _, fd := range []int{-1, 1 << 22, 1<<31 - 1} {
			c := selector.Change{FD: int32(fd), Want: read}
			for range 2 {
				assert.Equal(t, []poller.Ready{is(fd, poller.Invalid)}, found(t, s, once(c), selector.Poll, -1))
			}
			assert.ErrorIs(t, s.Run(once(), selector.Options{Count: 1}), unix.EBADF)
			c.Want = 0
			assert.Empty(t, found(t, s, once(c), selector.Select, 0))
		}
	})
}

func TestClosedBehindOurBackBetweenRuns(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, _ := fds.Pair(t)
		c, _ := fds.Pair(t)
		a = fds.High(t, a, 900)
		assert.Empty(t, found(t, s, once(want(a, read), want(c, read)), m, 0))
		require.NoError(t, unix.Close(a))
		assertFoundOut(t, s, once(), m, a)
	})
}

func TestClosedBehindOurBackInsideARun(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, _ := fds.Pair(t)
		a = fds.High(t, a, 900)
		c, d := fds.Pair(t)
		fds.Send(t, d)
		src := once(want(a, read), want(c, read))
		ask := src.step
		src.step = func(i int, ready []poller.Ready, collect bool) ([]selector.Change, bool) {
			if i == 1 { // after the first wait, and before one that nothing else ends
				fds.Take(t, c)
				assert.NoError(t, unix.Close(a))
			}
			changes, _ := ask(i, ready, collect)
			return changes, i < 2
		}
		assertFoundOut(t, s, src, m, a)
	})
}

// assertFoundOut checks that an endless wait ends because fd is closed.
func assertFoundOut(t *testing.T, s *selector.Selector, src *source, m selector.Meaning, fd int) {
	ask := src.step
	src.step = func(i int, ready []poller.Ready, collect bool) ([]selector.Change, bool) {
		changes, more := ask(i, ready, collect)
		told := len(ready) > 0 && ready[0] == is(fd, poller.Invalid)
		return changes, more && !told
	}
	err := s.Run(src, selector.Options{Timeout: -1, Meaning: m, Count: -1})
	if m == selector.Select {
		assert.ErrorIs(t, err, unix.EBADF)
	} else {
		assert.NoError(t, err)
		assert.Equal(t, []poller.Ready{is(fd, poller.Invalid)}, src.steps[len(src.steps)-1].ready)
	}
}

func TestReplacedBehindOurBack(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, _ := fds.Pair(t)
		c, d := fds.Pair(t)
		assert.Empty(t, found(t, s, once(want(a, read)), m, 0))
		require.NoError(t, fds.Dup2(c, a))
		fds.Send(t, d)
		assert.Equal(t, []poller.Ready{is(a, read)}, found(t, s, once(), m, -1))
	})
}

// The old open file lives on under another number and would be told for the new one, for ever.
func TestReplacedBehindOurBackAndReadyElsewhere(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, b := fds.Pair(t)
		c, d := fds.Pair(t)
		src := once(want(a, read))
		assert.Empty(t, found(t, s, src, m, 0))
		kept, err := unix.Dup(a)
		require.NoError(t, err)
		fds.Closing(t, kept)
		require.NoError(t, fds.Dup2(c, a))
		fds.Send(t, b)
		endless := &source{step: func(_ int, ready []poller.Ready, _ bool) ([]selector.Change, bool) {
			var buf [1]byte
			if len(ready) == 1 {
				_, err := unix.Read(a, buf[:])
				return nil, err != nil // what the new one got ends the run
			}
			return nil, true
		}}
		later := time.AfterFunc(50*time.Millisecond, func() { unix.Write(d, []byte("x")) })
		defer later.Stop()
		run(t, s, endless, m, -1, -1)
		assert.Empty(t, found(t, s, once(), m, 100*time.Millisecond))
	})
}

func TestOpenFileThatLivesOnInAChild(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, b := fds.Pair(t)
		a = fds.High(t, a, 900)
		assert.Empty(t, found(t, s, once(want(a, read)), m, 0))

		cat := exec.Command("cat")
		stdin, err := cat.StdinPipe()
		require.NoError(t, err)
		copied, err := unix.Dup(a)
		require.NoError(t, err)
		inherited := os.NewFile(uintptr(copied), "")
		cat.ExtraFiles = []*os.File{inherited}
		require.NoError(t, cat.Start())
		require.NoError(t, inherited.Close())
		defer func() {
			stdin.Close()
			assert.NoError(t, cat.Wait())
		}()

		// As a channel does it: closed first, out of the map afterwards.
		require.NoError(t, unix.Close(a))
		fds.Send(t, b)
		src := once(want(a, 0))
		assert.Empty(t, found(t, s, src, m, 20*time.Millisecond))
		assert.Len(t, src.steps, 2)

		// The number's next owner hears nothing of it.
		c, d := fds.Pair(t)
		require.NoError(t, fds.Dup2(c, a))
		assert.Empty(t, found(t, s, once(selector.Change{FD: int32(a), Want: read, Order: 1 << 40}), m, 0))
		fds.Send(t, d)
		assert.Equal(t, []poller.Ready{is(a, read)}, found(t, s, once(), m, long))
	})
}

func TestRegularFilesDoNotHoldUpTheOthers(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		file := fds.Regular(t)
		a, b := fds.Pair(t)
		src := once(want(file, read|write), want(a, read))
		assert.Equal(t, []poller.Ready{is(file, read|write)}, found(t, s, src, m, -1))
		fds.Send(t, b)
		assert.ElementsMatch(t, []poller.Ready{is(file, read|write), is(a, read)}, found(t, s, once(), m, -1))
		assert.Equal(t, []poller.Ready{is(a, read)}, found(t, s, once(want(file, 0)), m, -1))
	})
}

func TestDescriptorsAbove1023InARun(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, b := fds.Pair(t)
		a = fds.High(t, a, 3000)
		fds.Send(t, b)
		assert.Equal(t, []poller.Ready{is(a, read)}, found(t, s, once(want(a, read)), m, long))
	})
}

// A hang-up cannot be left out of a wait, and means nothing to who only writes, in select's
// meaning. The wait is a long one and ends once there is room.
func TestHangupOfAChannelThatOnlyWrites(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		a, b := fds.Pair(t)
		fds.Fill(t, a)
		require.NoError(t, unix.Shutdown(a, unix.SHUT_RDWR))
		src := once(want(a, write))
		assert.Empty(t, found(t, s, src, selector.Select, 0))
		assert.Empty(t, found(t, s, src, selector.Select, 20*time.Millisecond))

		var emptied []byte
		drained := make(chan struct{})
		time.AfterFunc(20*time.Millisecond, func() {
			defer close(drained)
			for buf := make([]byte, 1<<16); ; {
				n, err := unix.Read(b, buf)
				if n <= 0 || err != nil {
					return
				}
				emptied = append(emptied, buf[:n]...)
			}
		})
		assert.Equal(t, []poller.Ready{is(a, write)}, found(t, s, once(), selector.Select, -1))
		<-drained
		assert.NotEmpty(t, emptied)

		told := found(t, s, once(), selector.Poll, -1)
		require.Len(t, told, 1)
		assert.NotZero(t, told[0].Events&write)
	})
}
