//go:build linux

package engine

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func newFew(t testing.TB) *fewPoller {
	p, err := openFew()
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p.(*fewPoller)
}

// inSet says whether the epoll set has an entry of fd.
func inSet(p *fewPoller, fd int) bool {
	event := unix.EpollEvent{Fd: int32(fd)}
	return unix.EpollCtl(p.set, unix.EPOLL_CTL_MOD, fd, &event) == nil
}

// readyNow are the descriptors that p says are ready now, sorted.
func readyNow(t testing.TB, p Poller) []int {
	ready := make([]Ready, p.Len()+1)
	n, err := wait(p, ready, 0)
	require.NoError(t, err)
	fds := []int{}
	for _, r := range ready[:n] {
		fds = append(fds, int(r.FD))
	}
	slices.Sort(fds)
	return fds
}

func TestAFewAreInNoSet(t *testing.T) {
	p := newFew(t)
	near, far := []int{}, []int{}
	for range few {
		a, b := pair(t)
		near, far = append(near, a), append(far, b)
		require.NoError(t, p.Add(a, Read))
	}
	assert.Equal(t, few, p.Len())
	assert.False(t, p.many)
	feed(t, far[3])
	assert.Equal(t, []int{near[3]}, readyNow(t, p))
	for _, fd := range near {
		assert.False(t, inSet(p, fd))
	}
}

func TestManyAreInTheSetUntilFewAreLeft(t *testing.T) {
	p := newFew(t)
	near := []int{}
	for range few + 1 {
		a, b := pair(t)
		near = append(near, a)
		feed(t, b)
		require.NoError(t, p.Add(a, Read))
	}
	assert.True(t, p.many)
	assert.Equal(t, few+1, p.Len())
	assert.Equal(t, near, readyNow(t, p))
	for i, fd := range near[:few+1-fewAgain] {
		assert.True(t, p.many)
		if i%2 == 0 {
			require.NoError(t, p.Del(fd))
		} else {
			p.leave(fd)
		}
	}
	assert.False(t, p.many)
	rest := near[few+1-fewAgain:]
	assert.Equal(t, fewAgain, p.Len())
	assert.Equal(t, rest, readyNow(t, p))
	require.NoError(t, p.Set(rest[0], Write))
	assert.Equal(t, rest, readyNow(t, p))
	for _, fd := range rest {
		require.NoError(t, p.Del(fd))
	}
	assert.Empty(t, readyNow(t, p))
	assert.Zero(t, p.Len())
}

func TestWhatWasClosedAmongAFewIsTold(t *testing.T) {
	p := newFew(t)
	a, _ := pair(t)
	number := copyOf(t, a, 900)
	require.NoError(t, p.Add(number, Read))
	require.NoError(t, unix.Close(number))
	ready := make([]Ready, 2)
	n, err := wait(p, ready, -1)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(number), Invalid}}, ready[:n])
}

func TestWhatWasClosedWhenTheSetIsFilledIsTold(t *testing.T) {
	p := newFew(t)
	a, _ := pair(t)
	number := copyOf(t, a, 900)
	require.NoError(t, p.Add(number, Read))
	require.NoError(t, unix.Close(number))
	for range few {
		a, _ := pair(t)
		require.NoError(t, p.Add(a, Read))
	}
	assert.True(t, p.many)
	ready := make([]Ready, 2)
	n, err := wait(p, ready, -1)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(number), Invalid}}, ready[:n])
}

func TestAWakeUpEndsTheWaitForAFew(t *testing.T) {
	p := newFew(t)
	a, _ := pair(t)
	require.NoError(t, p.Add(a, Read))
	require.NoError(t, p.Wake())
	n, err := wait(p, make([]Ready, 2), -1)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.True(t, p.woken())
}

func TestWhoeverTakesTheDescriptorHasThemInTheSet(t *testing.T) {
	p := newFew(t)
	a, b := pair(t)
	require.NoError(t, p.Add(a, Read))
	set := p.descriptor()
	feed(t, b)
	fds := []unix.PollFd{{Fd: int32(set), Events: unix.POLLIN}}
	_, err := unix.Poll(fds, -1)
	require.NoError(t, err)
	assert.Equal(t, []int{a}, readyNow(t, p))
	require.NoError(t, p.Del(a))
	require.NoError(t, p.Add(a, Read))
	assert.True(t, inSet(p, a))
}
