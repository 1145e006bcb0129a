//go:build linux

package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func newEpoll(t testing.TB) *epollPoller {
	p, err := openEpoll()
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p.(*epollPoller)
}

// orphan leaves an entry in p's set that no number reaches, and that is ready for ever.
func orphan(t testing.TB, p *epollPoller) {
	a, b := pair(t)
	number := copyOf(t, a, 900)
	require.NoError(t, p.Add(number, Read))
	require.NoError(t, unix.Close(number))
	require.NoError(t, p.Del(number))
	feed(t, b)
}

func TestEventOfAForgottenDescriptorMakesANewSet(t *testing.T) {
	p := newEpoll(t)
	idle, _ := pair(t)
	busy, _ := pair(t)
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
	assert.True(t, p.woken())
	before = p.entry(idle).generation
	n, err = wait(p, ready, 0)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.Equal(t, before, p.entry(idle).generation)
}

func TestEventOfAnEarlierOwnerMakesANewSet(t *testing.T) {
	p := newEpoll(t)
	a, b := pair(t)
	c, d := pair(t)
	number := copyOf(t, a, 900)
	require.NoError(t, p.Add(number, Read))
	require.NoError(t, unix.Dup3(c, number, unix.O_CLOEXEC))
	require.NoError(t, p.Add(number, Read))
	feed(t, b)
	before, ready := p.entry(number).generation, make([]Ready, 3)
	n, err := wait(p, ready, -1)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.NotEqual(t, before, p.entry(number).generation)
	feed(t, d)
	n, err = wait(p, ready, -1)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(number), Read}}, ready[:n])
}

func TestNewSetFindsWhatIsClosed(t *testing.T) {
	p := newEpoll(t)
	a, _ := pair(t)
	number := copyOf(t, a, 901)
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
	a, _ := pair(t)
	number := copyOf(t, a, 901)
	require.NoError(t, p.Add(number, Read))
	require.NoError(t, unix.Dup3(regular(t), number, unix.O_CLOEXEC))
	orphan(t, p)
	ready := make([]Ready, 1)
	_, err := wait(p, ready, -1)
	require.NoError(t, err)
	n, err := wait(p, ready, -1)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(number), Read}}, ready[:n])
}

// regular is the descriptor of a regular file.
func regular(t *testing.T) int {
	fd, err := unix.MemfdCreate("regular", unix.MFD_CLOEXEC)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// withLimit allows descriptors below limit only until the test ends.
func withLimit(t *testing.T, limit uint64) {
	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	lower := unix.Rlimit{Cur: limit, Max: before.Max}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &lower))
	t.Cleanup(func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before)) })
}

func TestNewSetTakesTheOldOnesPlaceAtTheLimit(t *testing.T) {
	p := newEpoll(t)
	orphan(t, p)
	withLimit(t, uint64(p.set)+100)
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			require.ErrorIs(t, err, unix.EMFILE)
			break
		}
		t.Cleanup(func() { unix.Close(fd) })
	}
	for range 2 {
		n, err := wait(p, make([]Ready, 1), 10*time.Millisecond)
		require.NoError(t, err)
		assert.Zero(t, n)
	}
}

func TestNoNewSetIsPollsTurn(t *testing.T) {
	p := newEpoll(t)
	s := NewSelector(p)
	a, b := pair(t)
	feed(t, b)
	orphan(t, p)
	func() {
		withLimit(t, 3)
		assert.Equal(t, []Ready{{int32(a), Read}}, told(t, s, Options{Timeout: -1}, Change{int32(a), Read, 1}))
	}()
	assert.Equal(t, "poll", s.Poller().Name())
}

func TestBufferGrowsWithWhatIsReadyAtOnce(t *testing.T) {
	p := newEpoll(t)
	a, _ := pair(t)
	all := map[int32]bool{}
	for range 1000 {
		number := copyOf(t, a, 0)
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

func TestALostSetIsOpenedAgain(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, p *epollPoller){
		"closed":   func(t *testing.T, p *epollPoller) { require.NoError(t, unix.Close(p.set)) },
		"replaced": func(t *testing.T, p *epollPoller) { require.NoError(t, unix.Dup3(regular(t), p.set, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newEpoll(t)
			s := NewSelector(p)
			a, _ := pair(t)
			c, _ := pair(t)
			assert.Empty(t, told(t, s, Options{}, Change{int32(a), Read, 1}))
			number := p.set
			lose(t, p)
			if name == "replaced" {
				defer unix.Close(number)
			}
			// Noticed by the wait, or by a registration, whichever comes first.
			assert.Equal(t, []Ready{{int32(c), Write}}, told(t, s, Options{Timeout: -1}, Change{int32(c), Write, 2}))
			assert.Equal(t, "epoll", s.Poller().Name())
			assert.Equal(t, 2, s.Poller().Len())
			if name == "replaced" {
				assert.True(t, isOpen(number))
				assert.NotContains(t, p.FDs(), number)
			}
		})
		t.Run(name+"_while_nothing_changes", func(t *testing.T) {
			p := newEpoll(t)
			s := NewSelector(p)
			a, b := pair(t)
			assert.Empty(t, told(t, s, Options{}, Change{int32(a), Read, 1}))
			number := p.set
			lose(t, p)
			if name == "replaced" {
				defer unix.Close(number)
			}
			feed(t, b)
			assert.Equal(t, []Ready{{int32(a), Read}}, told(t, s, Options{Timeout: -1}))
		})
	}
}

func TestWhatIsDeletedTakesNobodysRoom(t *testing.T) {
	p := newEpoll(t)
	for range 200 {
		a, b := pair(t)
		require.NoError(t, p.Add(a, Read))
		feed(t, b)
		require.NoError(t, p.Del(a))
	}
	busy, _ := pair(t)
	require.NoError(t, p.Add(busy, Write))
	ready := make([]Ready, 64)
	n, err := wait(p, ready, 0)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(busy), Write}}, ready[:n])
}
