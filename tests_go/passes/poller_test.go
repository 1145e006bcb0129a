package passes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

func TestOpenWithoutANameGivesTheBest(t *testing.T) {
	p, err := poller.Open("")
	require.NoError(t, err)
	defer p.Close()
	assert.Equal(t, poller.Names()[0], p.Name())
}

func TestOpenRefusesAnUnknownName(t *testing.T) {
	_, err := poller.Open("magic")
	assert.ErrorIs(t, err, poller.ErrUnknown)
	assert.ErrorContains(t, err, "magic")
}

func TestPollerHasItsName(t *testing.T) {
	for _, name := range poller.Names() {
		p, err := poller.Open(name)
		require.NoError(t, err)
		assert.Equal(t, name, p.Name())
		require.NoError(t, p.Close())
	}
}

func TestOnlyWhatIsWantedIsTold(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		a, b := fds.Pair(t)
		require.NoError(t, p.Add(a, read))
		assert.Empty(t, waitFor(t, p, 0))
		fds.Send(t, b)
		assert.Equal(t, map[int]poller.Events{a: read}, waitFor(t, p, long))
		require.NoError(t, p.Set(a, write))
		assert.Equal(t, map[int]poller.Events{a: write}, waitFor(t, p, long))
		require.NoError(t, p.Set(a, read|write))
		assert.Equal(t, map[int]poller.Events{a: read | write}, waitFor(t, p, long))
		require.NoError(t, p.Set(a, 0))
		assert.Empty(t, waitFor(t, p, 0))
		assert.Zero(t, p.Len())
	})
}

func TestReadyStaysReadyUntilItIsTaken(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		a, b := fds.Pair(t)
		require.NoError(t, p.Add(a, read))
		fds.Send(t, b)
		for range 3 {
			assert.Equal(t, map[int]poller.Events{a: read}, waitFor(t, p, long))
		}
		fds.Take(t, a)
		assert.Empty(t, waitFor(t, p, 0))
	})
}

func TestEndOfAStreamIsReadable(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		a, b := fds.Pair(t)
		require.NoError(t, p.Add(a, read))
		require.NoError(t, unix.Close(b))
		events := waitFor(t, p, long)[a]
		assert.NotZero(t, events&read)
		if p.Name() != "select" {
			assert.NotZero(t, events&poller.Hangup)
		}
	})
}

func TestHalfClosedIsNoHangup(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		a, b := fds.Pair(t)
		require.NoError(t, p.Add(a, read))
		require.NoError(t, unix.Shutdown(b, unix.SHUT_WR))
		assert.Equal(t, map[int]poller.Events{a: read}, waitFor(t, p, long))
	})
}

func TestErrorsAreToldUnwanted(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		var ends [2]int
		require.NoError(t, unix.Pipe(ends[:]))
		fds.Closing(t, ends[1])
		require.NoError(t, unix.Close(ends[0]))
		require.NoError(t, p.Add(ends[1], write))
		events := waitFor(t, p, long)[ends[1]]
		if p.Name() == "select" {
			assert.Equal(t, write, events)
		} else {
			assert.NotZero(t, events&poller.Error)
		}
	})
}

func TestPriorityData(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		a, b := fds.TCP(t)
		require.NoError(t, p.Add(a, poller.Priority))
		require.NoError(t, unix.Sendto(b, []byte("!"), unix.MSG_OOB, nil))
		assert.Equal(t, map[int]poller.Events{a: poller.Priority}, waitFor(t, p, long))
	})
}

func TestAddForgetsWhatWasUnderTheNumber(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		a, _ := fds.Pair(t)
		c, d := fds.Pair(t)
		require.NoError(t, p.Add(a, read|write))
		require.NoError(t, fds.Dup2(c, a))
		require.NoError(t, p.Add(a, read))
		assert.Equal(t, 1, p.Len())
		assert.Empty(t, waitFor(t, p, 0))
		fds.Send(t, d)
		assert.Equal(t, map[int]poller.Events{a: read}, waitFor(t, p, long))
	})
}

func TestAddOfTheSameOpenFileAgain(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		a, _ := fds.Pair(t)
		require.NoError(t, p.Add(a, read|write))
		require.NoError(t, p.Add(a, write))
		assert.Equal(t, 1, p.Len())
		assert.Equal(t, map[int]poller.Events{a: write}, waitFor(t, p, long))
	})
}

func TestSetFindsWhatCameUnderTheNumber(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		a, _ := fds.Pair(t)
		c, d := fds.Pair(t)
		require.NoError(t, p.Add(a, read))
		require.NoError(t, fds.Dup2(c, a))
		require.NoError(t, p.Set(a, read))
		fds.Send(t, d)
		assert.Equal(t, map[int]poller.Events{a: read}, waitFor(t, p, long))
	})
}

func TestForgettingIsNeverAnError(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		a, _ := fds.Pair(t)
		require.NoError(t, p.Add(a, read))
		require.NoError(t, unix.Close(a))
		assert.NoError(t, p.Del(a))
		assert.NoError(t, p.Del(a))
		assert.NoError(t, p.Del(123456))
		assert.NoError(t, p.Del(-1))
		assert.Zero(t, p.Len())
		assert.Empty(t, waitFor(t, p, 0))
	})
}

func TestWhatIsNotOpenIsSaidToBe(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		fd := fds.Closed(t)
		for range 2 {
			if err := p.Add(fd, read); err == nil {
				assert.Equal(t, map[int]poller.Events{fd: poller.Invalid}, waitFor(t, p, long))
			} else {
				assert.ErrorIs(t, err, unix.EBADF)
				assert.Zero(t, p.Len())
			}
		}
	})
}

func TestImpossibleNumbers(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		for _, fd := range []int{-1, 1 << 22, 1<<31 - 1} {
			assert.ErrorIs(t, p.Add(fd, read), unix.EBADF)
			assert.ErrorIs(t, p.Set(fd, read), unix.EBADF)
		}
		assert.Zero(t, p.Len())
	})
}

func TestRegularFileIsAlwaysReady(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		fd := fds.Regular(t)
		a, b := fds.Pair(t)
		require.NoError(t, p.Add(fd, read))
		require.NoError(t, p.Add(a, read))
		assert.Equal(t, 2, p.Len())
		assert.Equal(t, map[int]poller.Events{fd: read}, waitFor(t, p, -1))
		require.NoError(t, p.Set(fd, write))
		fds.Send(t, b)
		assert.Equal(t, map[int]poller.Events{fd: write, a: read}, waitFor(t, p, -1))
		require.NoError(t, p.Set(fd, read|write))
		assert.Equal(t, read|write, waitFor(t, p, -1)[fd])
		require.NoError(t, p.Del(fd))
		fds.Take(t, a)
		assert.Empty(t, waitFor(t, p, 0))
	})
}

func TestRegularFileGivesItsNumberToASocket(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		fd := fds.Regular(t)
		a, b := fds.Pair(t)
		require.NoError(t, p.Add(fd, read))
		require.NoError(t, fds.Dup2(a, fd))
		require.NoError(t, p.Set(fd, read))
		assert.Equal(t, 1, p.Len())
		assert.Empty(t, waitFor(t, p, 0))
		fds.Send(t, b)
		assert.Equal(t, map[int]poller.Events{fd: read}, waitFor(t, p, long))
	})
}

func TestDescriptorsAbove1023(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		a, b := fds.Pair(t)
		a = fds.High(t, a, 5000)
		require.NoError(t, p.Add(a, read))
		assert.Empty(t, waitFor(t, p, 0))
		fds.Send(t, b)
		assert.Equal(t, map[int]poller.Events{a: read}, waitFor(t, p, long))
	})
}

func TestAllThatAreReadyAreTold(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		all := map[int]poller.Events{}
		for range 300 {
			a, _ := fds.Pair(t)
			require.NoError(t, p.Add(a, write))
			all[a] = write
		}
		assert.Equal(t, all, waitFor(t, p, long))
	})
}

func TestShortBufferGetsSomeOfThem(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		left := map[int]bool{}
		for range 100 {
			a, _ := fds.Pair(t)
			require.NoError(t, p.Add(a, write))
			left[a] = true
		}
		left[fds.Regular(t)] = true
		for fd := range left {
			require.NoError(t, p.Add(fd, write))
		}
		for ready := make([]poller.Ready, 7); len(left) > 0; {
			n, err := wait(p, ready, long)
			require.NoError(t, err)
			require.NotZero(t, n)
			for _, r := range ready[:n] {
				require.True(t, left[int(r.FD)])
				delete(left, int(r.FD))
				require.NoError(t, p.Del(int(r.FD)))
			}
		}
	})
}

func TestShortTimeoutIsNotRoundedDown(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		began := time.Now()
		_, err := wait(p, nil, 100*time.Microsecond)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, time.Since(began), 100*time.Microsecond)
	})
}
