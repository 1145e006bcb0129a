//go:build linux

package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestWhatWasLeftOpenIsTakenOutWhenItIsReady(t *testing.T) {
	p := newEpoll(t)
	a, b := pair(t)
	idle, _ := pair(t)
	require.NoError(t, p.Add(a, Read))
	require.NoError(t, p.Add(idle, Read))
	p.leave(a)
	assert.Equal(t, 1, p.Len())
	feed(t, b)
	ready, before := make([]Ready, 2), p.table[idle].generation
	for range 3 { // the first takes it out, the others find nothing
		n, err := wait(p, ready, 0)
		require.NoError(t, err)
		assert.Zero(t, n)
		assert.Equal(t, nowhere, p.table[a].place)
	}
	assert.Equal(t, before, p.table[idle].generation, "no new set for that")
	assert.Equal(t, unix.ENOENT, unix.EpollCtl(p.set, unix.EPOLL_CTL_DEL, a, nil))
}

func TestWhatWasLeftTakesNobodysRoom(t *testing.T) {
	p := newEpoll(t)
	for range 20 {
		a, b := pair(t)
		require.NoError(t, p.Add(a, Read))
		feed(t, b)
		p.leave(a)
	}
	busy, _ := pair(t)
	require.NoError(t, p.Add(busy, Write))
	ready := make([]Ready, 1)
	n, err := wait(p, ready, 0)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(busy), Write}}, ready[:n])
	assert.Zero(t, p.over)
}

func TestWhatWasLeftAndClosedTakesNoCall(t *testing.T) {
	p := newEpoll(t)
	a, b := pair(t)
	require.NoError(t, p.Add(a, Read))
	p.leave(a)
	require.NoError(t, unix.Close(a))
	feedQuietly(b)
	n, err := wait(p, make([]Ready, 2), 0)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.Equal(t, left, p.table[a].place)
}

// feedQuietly does what feed does, to a peer that may be gone.
func feedQuietly(fd int) { _ = unix.Sendto(fd, []byte("x"), unix.MSG_NOSIGNAL, nil) }

func TestWhatWasLeftCanBeAddedAgain(t *testing.T) {
	p := newEpoll(t)
	a, b := pair(t)
	require.NoError(t, p.Add(a, Read))
	p.leave(a)
	require.NoError(t, p.Add(a, Read)) // the kernel still has it
	assert.Equal(t, 1, p.Len())
	feed(t, b)
	ready := make([]Ready, 2)
	n, err := wait(p, ready, -1)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(a), Read}}, ready[:n])
	require.NoError(t, p.Del(a))
	assert.Zero(t, p.Len())
}

func TestWhatWasLeftUnderAnotherFilesNumberMakesANewSet(t *testing.T) {
	p := newEpoll(t)
	a, b := pair(t)
	idle, _ := pair(t)
	keeper := copyOf(t, a, 900) // the open file lives on
	require.NoError(t, p.Add(idle, Read))
	require.NoError(t, p.Add(a, Read))
	p.leave(a)
	other, _ := pair(t)
	require.NoError(t, unix.Dup3(other, a, unix.O_CLOEXEC)) // and its number is another one's
	feed(t, b)
	before, ready := p.table[idle].generation, make([]Ready, 2)
	n, err := wait(p, ready, 0)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.NotEqual(t, before, p.table[idle].generation)
	n, err = wait(p, ready, 0)
	require.NoError(t, err)
	assert.Zero(t, n)
	_ = keeper
}

func TestDelOfWhatWasLeftTakesItOut(t *testing.T) {
	p := newEpoll(t)
	a, _ := pair(t)
	require.NoError(t, p.Add(a, Read))
	p.leave(a)
	require.NoError(t, p.Del(a))
	assert.Zero(t, p.Len())
	assert.Equal(t, unix.ENOENT, unix.EpollCtl(p.set, unix.EPOLL_CTL_DEL, a, nil))
}
