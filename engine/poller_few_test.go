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

// makeRestless has connections come and go until p waits with poll(2).
func makeRestless(t testing.TB, p *fewPoller) {
	a, _ := pair(t)
	for range restless {
		require.NoError(t, p.Add(a, Read))
		readyNow(t, p)
		p.leave(a)
	}
	readyNow(t, p)
	require.True(t, p.apart)
	require.Zero(t, p.Len())
}

func TestAFewThatComeAndGoAreInNoSet(t *testing.T) {
	p := newFew(t)
	stays, _ := pair(t)
	require.NoError(t, p.Add(stays, Read))
	assert.Empty(t, readyNow(t, p))
	assert.True(t, inSet(p, stays))
	a, b := pair(t)
	for i := range 3 * restless {
		require.NoError(t, p.Add(a, Read|Write))
		assert.Equal(t, 2, p.Len())
		assert.Equal(t, []int{a}, readyNow(t, p))
		assert.Equal(t, i < restless-2, inSet(p, a), i)
		p.leave(a)
	}
	assert.True(t, p.apart)
	assert.False(t, inSet(p, stays))
	require.NoError(t, p.Set(stays, Write))
	assert.Equal(t, []int{stays}, readyNow(t, p))
	_ = b
}

func TestAFewThatStayAreInTheSet(t *testing.T) {
	p := newFew(t)
	makeRestless(t, p)
	a, b := pair(t)
	require.NoError(t, p.Add(a, Read))
	feed(t, b)
	for range mostSure + 1 {
		assert.Equal(t, []int{a}, readyNow(t, p))
	}
	assert.False(t, p.apart)
	assert.True(t, inSet(p, a))
}

func TestManyAreInTheSet(t *testing.T) {
	p := newFew(t)
	makeRestless(t, p)
	near := []int{}
	for range few + 1 {
		a, b := pair(t)
		near = append(near, a)
		feed(t, b)
		require.NoError(t, p.Add(a, Read))
	}
	assert.False(t, p.apart)
	assert.Equal(t, few+1, p.Len())
	assert.Equal(t, near, readyNow(t, p))
	for _, fd := range near {
		require.NoError(t, p.Del(fd))
	}
	assert.Empty(t, readyNow(t, p))
	assert.Zero(t, p.Len())
}

func TestWhatWasClosedAmongAFewIsTold(t *testing.T) {
	p := newFew(t)
	makeRestless(t, p)
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
	makeRestless(t, p)
	a, _ := pair(t)
	number := copyOf(t, a, 900)
	require.NoError(t, p.Add(number, Read))
	require.NoError(t, unix.Close(number))
	for range few {
		a, _ := pair(t)
		require.NoError(t, p.Add(a, Read))
	}
	assert.False(t, p.apart)
	ready := make([]Ready, 2)
	n, err := wait(p, ready, -1)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(number), Invalid}}, ready[:n])
}

func TestAWakeUpEndsTheWaitForAFew(t *testing.T) {
	p := newFew(t)
	makeRestless(t, p)
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
	makeRestless(t, p)
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
