//go:build linux

package poller

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/fdtest"
)

func newEpoll(t testing.TB) *epollPoller {
	p, err := openEpoll()
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p.(*epollPoller)
}

// orphan leaves an entry in p's set that no number reaches, and that is ready for ever.
func orphan(t testing.TB, p *epollPoller) {
	a, b := fdtest.Pair(t)
	number := fdtest.CopyOf(t, a, 900)
	require.NoError(t, p.Add(number, Read))
	require.NoError(t, unix.Close(number))
	require.NoError(t, p.Del(number))
	fdtest.Feed(t, b)
}

func TestEventOfAForgottenDescriptorMakesANewSet(t *testing.T) {
	p := newEpoll(t)
	idle, _ := fdtest.Pair(t)
	busy, _ := fdtest.Pair(t)
	require.NoError(t, p.Add(idle, Read))
	require.NoError(t, p.Add(busy, Write))
	orphan(t, p)
	before, wakeFD, ready := p.entry(idle).generation, p.WakeFD(), make([]Ready, 3)
	n, err := wait(p, ready, -1)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(busy), Write}}, ready[:n])
	assert.NotEqual(t, before, p.entry(idle).generation)
	assert.Equal(t, wakeFD, p.WakeFD())
	assert.Equal(t, 2, p.Len())

	// The new set has it all: channels, waker, and no orphan.
	require.NoError(t, p.Set(busy, Read))
	require.NoError(t, p.Wake())
	n, err = wait(p, ready, -1)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.True(t, p.Woken())
	before = p.entry(idle).generation
	n, err = wait(p, ready, 0)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.Equal(t, before, p.entry(idle).generation)
}

func TestEventOfAnEarlierOwnerMakesANewSet(t *testing.T) {
	p := newEpoll(t)
	a, b := fdtest.Pair(t)
	c, d := fdtest.Pair(t)
	number := fdtest.CopyOf(t, a, 900)
	require.NoError(t, p.Add(number, Read))
	require.NoError(t, unix.Dup3(c, number, unix.O_CLOEXEC))
	require.NoError(t, p.Add(number, Read))
	fdtest.Feed(t, b)
	before, ready := p.entry(number).generation, make([]Ready, 3)
	n, err := wait(p, ready, -1)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.NotEqual(t, before, p.entry(number).generation)
	fdtest.Feed(t, d)
	n, err = wait(p, ready, -1)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(number), Read}}, ready[:n])
}

func TestNewSetFindsWhatIsClosed(t *testing.T) {
	p := newEpoll(t)
	a, _ := fdtest.Pair(t)
	number := fdtest.CopyOf(t, a, 901)
	require.NoError(t, p.Add(number, Read))
	require.NoError(t, unix.Close(number))
	orphan(t, p)
	ready := make([]Ready, 1)
	_, err := wait(p, ready, -1)
	require.NoError(t, err)
	assert.Equal(t, 1, p.Len())
	n, err := wait(p, ready, -1)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(number), Invalid}}, ready[:n])
	assert.Zero(t, p.Len())
}

func TestNewSetFindsARegularFile(t *testing.T) {
	p := newEpoll(t)
	a, _ := fdtest.Pair(t)
	number := fdtest.CopyOf(t, a, 901)
	require.NoError(t, p.Add(number, Read))
	require.NoError(t, unix.Dup3(fdtest.Regular(t), number, unix.O_CLOEXEC))
	orphan(t, p)
	ready := make([]Ready, 1)
	_, err := wait(p, ready, -1)
	require.NoError(t, err)
	n, err := wait(p, ready, -1)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(number), Read}}, ready[:n])
}

func TestNewSetTakesTheOldOnesPlaceAtTheLimit(t *testing.T) {
	p := newEpoll(t)
	orphan(t, p)
	fdtest.WithLimit(t, uint64(p.set)+100)
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			require.ErrorIs(t, err, unix.EMFILE)
			break
		}
		t.Cleanup(func() { unix.Close(fd) })
	}
	number, before := p.Descriptor(), p.Renewed()
	for range 2 {
		n, err := wait(p, make([]Ready, 1), 10*time.Millisecond)
		require.NoError(t, err)
		assert.Zero(t, n)
	}
	assert.Equal(t, number, p.Descriptor())
	assert.Greater(t, p.Renewed(), before)
}

func TestBufferGrowsWithWhatIsReadyAtOnce(t *testing.T) {
	p := newEpoll(t)
	a, _ := fdtest.Pair(t)
	all := map[int32]bool{}
	for range 1000 {
		number := fdtest.CopyOf(t, a, 0)
		require.NoError(t, p.Add(number, Write))
		all[int32(number)] = true
	}
	ready := make([]Ready, 1000)
	n, err := wait(p, ready, -1)
	require.NoError(t, err)
	require.Equal(t, 1000, n)
	for _, r := range ready {
		delete(all, r.FD)
	}
	assert.Empty(t, all)
	assert.LessOrEqual(t, len(p.events), 1001)
}

func TestWhatIsDeletedTakesNobodysRoom(t *testing.T) {
	p := newEpoll(t)
	for range 200 {
		a, b := fdtest.Pair(t)
		require.NoError(t, p.Add(a, Read))
		fdtest.Feed(t, b)
		require.NoError(t, p.Del(a))
	}
	busy, _ := fdtest.Pair(t)
	require.NoError(t, p.Add(busy, Write))
	ready := make([]Ready, 64)
	n, err := wait(p, ready, 0)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(busy), Write}}, ready[:n])
}
