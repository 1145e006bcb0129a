//go:build linux

package selector

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/clock"
	"github.com/goasyncore/goasyncore/engine/internal/fdtest"
	"github.com/goasyncore/goasyncore/engine/poller"
)

// faulty is a poller, epoll, that counts its waits and checks and refuses, from a point on, what it is told.
type faulty struct {
	poller.InKernel
	waits   int
	checks  int
	good    int // so many registrations work
	refusal error
}

func (p *faulty) Verify() error {
	p.checks++
	return p.InKernel.Verify()
}

func (p *faulty) Wait(ready []poller.Ready, timeout time.Duration) (int, error) {
	p.waits++
	return p.InKernel.Wait(ready, timeout)
}

func (p *faulty) refuses() error {
	if p.refusal == nil || p.good > 0 {
		p.good--
		return nil
	}
	return os.NewSyscallError("epoll_ctl", p.refusal)
}

func (p *faulty) Add(fd int, want poller.Events) error {
	if err := p.refuses(); err != nil {
		return err
	}
	return p.InKernel.Add(fd, want)
}

func (p *faulty) Set(fd int, want poller.Events) error {
	if err := p.refuses(); err != nil {
		return err
	}
	return p.InKernel.Set(fd, want)
}

// faultyAndSelector is a faulty poller without faults, and a selector around it.
func faultyAndSelector(t *testing.T) (*faulty, *Selector) {
	p := &faulty{InKernel: newEpoll(t)}
	return p, New(p)
}

func TestLimitOfTheKernelIsPollsTurn(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOSPC, unix.ENOMEM} {
		for _, m := range []Meaning{Select, Poll} {
			p, s := faultyAndSelector(t)
			p.refusal, p.good = errno, 2
			gone := fdtest.CopyOf(t, 0, 900)
			require.NoError(t, unix.Close(gone))
			var changes []Change
			var expected []poller.Ready
			if m == Poll {
				changes = append(changes, Change{int32(gone), poller.Read, 0})
				expected = append(expected, poller.Ready{FD: int32(gone), Events: poller.Invalid})
			}
			for i := range 5 {
				a, _ := fdtest.Pair(t)
				changes = append(changes, Change{int32(a), poller.Write, uint64(i + 1)})
				expected = append(expected, poller.Ready{FD: int32(a), Events: poller.Write})
			}
			set, wakeFD := p.Descriptor(), s.WakeFD()
			assert.Equal(t, expected, told(t, s, Options{Timeout: -1, Meaning: m}, changes...))
			assert.Equal(t, "poll", s.Poller().Name())
			assert.False(t, poller.IsOpen(set))

			// The waker that was kept still wakes it, in either way.
			require.Equal(t, wakeFD, s.WakeFD())
			require.Equal(t, wakeFD, s.Poller().WakeFD())
			for i := range changes {
				changes[i].Want = 0
			}
			src := &script{changes: [][]Change{changes}}
			src.more = func(src *script) bool {
				require.NoError(t, p.Wake())
				return src.steps < 3
			}
			require.NoError(t, s.Run(src, Options{Timeout: -1, Meaning: m, Count: -1}))

			require.NoError(t, s.Close())
			assert.False(t, poller.IsOpen(wakeFD))
			assert.ErrorIs(t, p.Wake(), os.ErrClosed)
		}
	}
}

func TestOtherPollersErrorsAreToldToTheCaller(t *testing.T) {
	p, s := faultyAndSelector(t)
	require.NoError(t, s.Close())
	a, _ := fdtest.Pair(t)
	src := &script{changes: [][]Change{{{int32(a), poller.Read, 1}}}}
	assert.ErrorIs(t, s.Run(src, Options{Count: 1}), os.ErrClosed)
	assert.Same(t, p, s.Poller())
}

func TestConditionThatMeansNothingDoesNotSpin(t *testing.T) {
	p, s := faultyAndSelector(t)
	a, b := fdtest.Pair(t)
	for chunk := make([]byte, 4096); ; {
		if _, err := unix.Write(a, chunk); err != nil {
			break
		}
	}
	require.NoError(t, unix.Shutdown(a, unix.SHUT_RDWR))
	assert.Empty(t, told(t, s, Options{Timeout: 700 * time.Millisecond}, Change{int32(a), poller.Write, 1}))
	assert.Less(t, p.waits, 8)
	assert.Equal(t, []int32{int32(a)}, s.muted)
	assert.Zero(t, p.Len())

	// A Change is a reason to ask the poller again, and so is the other meaning.
	assert.Equal(t, []poller.Ready{{FD: int32(a), Events: poller.Read}}, told(t, s, Options{Timeout: -1}, Change{int32(a), poller.Read | poller.Write, 1}))
	assert.Empty(t, s.muted)
	assert.Empty(t, told(t, s, Options{}, Change{int32(a), poller.Write, 1}))
	assert.NotEmpty(t, s.muted)
	assert.Equal(t, []poller.Ready{{FD: int32(a), Events: poller.Hangup}}, told(t, s, Options{Timeout: -1, Meaning: Poll}))
	assert.Empty(t, told(t, s, Options{}))
	assert.Empty(t, told(t, s, Options{}, Change{int32(a), 0, 1}))
	assert.Empty(t, s.muted)
	require.NoError(t, unix.Close(b))
}

func TestClosedWhileMutedIsFoundOut(t *testing.T) {
	_, s := faultyAndSelector(t)
	var ends [2]int
	require.NoError(t, unix.Pipe(ends[:]))
	require.NoError(t, unix.Close(ends[1]))
	reader := fdtest.CopyOf(t, ends[0], 900)
	require.NoError(t, unix.Close(ends[0]))
	// The reading end of a pipe without a writer: a hang-up, and never room to write.
	assert.Empty(t, told(t, s, Options{}, Change{int32(reader), poller.Write, 1}))
	require.Len(t, s.muted, 1)
	require.NoError(t, unix.Close(reader))
	assert.ErrorIs(t, s.Run(&script{}, Options{Timeout: -1, Count: 1}), unix.EBADF)
}

func TestOrphanDoesNotSpin(t *testing.T) {
	p, s := faultyAndSelector(t)
	orphan(t, p)
	assert.Empty(t, told(t, s, Options{Timeout: 100 * time.Millisecond}))
	assert.LessOrEqual(t, p.waits, 3)
}

func TestAnIdleWaitIsOneCall(t *testing.T) {
	p, s := faultyAndSelector(t)
	a, _ := fdtest.Pair(t)
	assert.Empty(t, told(t, s, Options{Timeout: 300 * time.Millisecond}, Change{int32(a), poller.Read, 1}))
	assert.Equal(t, 1, p.waits)
}

func TestAnAuditOfFewThatTookLongDoesNotPutOffTheNext(t *testing.T) {
	_, s := faultyAndSelector(t)
	a, _ := fdtest.Pair(t)
	gone := fdtest.CopyOf(t, a, 900)
	// As for attach(): a pass that settles, and then the next one when something has happened.
	settling := Options{Settle: true}
	assert.Empty(t, told(t, s, settling, Change{int32(gone), poller.Read, 1}))
	s.planAudit(clock.Now() - 10*time.Second) // the machine stood still
	require.NoError(t, unix.Close(gone))
	time.Sleep(2 * auditFew)
	assert.ErrorIs(t, s.Run(&script{}, Options{Settle: true, Count: 1}), unix.EBADF)
}

func TestAuditKeepsToItsShareOfTheTime(t *testing.T) {
	_, s := faultyAndSelector(t)
	a, _ := fdtest.Pair(t)
	var changes []Change
	for i := range 100 { // with a few, there is no limit
		changes = append(changes, Change{int32(fdtest.CopyOf(t, a, 1000)), poller.Read, uint64(i)})
	}
	number := int(changes[50].FD)
	poll := Options{Meaning: Poll}
	assert.Empty(t, told(t, s, poll, changes...))
	before := clock.Now()
	err := s.auditAll()
	require.NoError(t, err)
	took := clock.Now() - before
	assert.GreaterOrEqual(t, s.auditSoonest, before)
	assert.LessOrEqual(t, s.auditSoonest, clock.Now()+auditShare*took)
	assert.GreaterOrEqual(t, s.auditDue, before+auditEvery)

	// Before it may, it does not; once it may, it does.
	require.NoError(t, unix.Close(number))
	s.auditSoonest = clock.Never
	assert.Empty(t, told(t, s, poll))
	s.auditSoonest = 0
	assert.Equal(t, []poller.Ready{{FD: int32(number), Events: poller.Invalid}}, told(t, s, poll))
}

func TestAuditLooksAtEverybody(t *testing.T) {
	p, s := faultyAndSelector(t)
	a, _ := fdtest.Pair(t)
	var changes []Change
	for i := range 2*lookAtOnce + 7 {
		changes = append(changes, Change{int32(fdtest.CopyOf(t, a, 1000)), poller.Read, uint64(i)})
	}
	poll := Options{Meaning: Poll}
	assert.Empty(t, told(t, s, poll, changes...))
	for _, i := range []int{0, lookAtOnce - 1, lookAtOnce, len(changes) - 1} {
		require.NoError(t, unix.Close(int(changes[i].FD)))
	}
	s.auditSoonest = 0
	var found []int32
	for _, r := range told(t, s, poll) {
		require.Equal(t, poller.Invalid, r.Events)
		found = append(found, r.FD)
	}
	assert.Equal(t, []int32{
		changes[0].FD, changes[lookAtOnce-1].FD, changes[lookAtOnce].FD, changes[len(changes)-1].FD,
	}, found)
	assert.Equal(t, len(changes)-4, p.Len())
}
