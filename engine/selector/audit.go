//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Finding descriptors that were closed without notice.

package selector

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/clock"
	"github.com/goasyncore/goasyncore/engine/poller"
)

const (
	auditEvery = time.Second            // at least so often, where waits begin or last so long
	auditFew   = time.Millisecond       // at most so often, if few are registered, for each Run that is under way: it takes 2 µs
	auditShare = 100                    // an audit is not repeated before this many times what it took
	lookEvery  = 500 * time.Millisecond // at what is muted
	lookAtOnce = 256                    // descriptors per poll(2), which refuses more than the limit of open files
	fewToAudit = 64                     // with so few, every Run and most waits begin with an audit, as select(2) does
)

// audit is what a Selector needs to compare its poller with poll(2), because epoll and kqueue do not report that a
// descriptor was closed or replaced. A wait makes at most one audit, when it begins or when one is due. What is
// closed during a wait is found by the next one, as with select(2).
type audit struct {
	auditSoonest time.Duration // the share of the time allows none before
	auditDue     time.Duration
	audited      bool          // in this wait
	lookDue      time.Duration // at what is muted; if anything is
	seen         []unix.PollFd
}

// inspect makes the audit and the looks that are due, and tries again what was not open.
func (s *Selector) inspect(now time.Duration) error {
	if s.kernel != nil && s.registered > 0 && !s.audited && s.auditIsDue(now) {
		s.audited = true
		if err := s.auditAll(); err != nil {
			return err
		}
	}
	if len(s.muted) > 0 && now >= s.lookDue {
		s.lookDue = now + lookEvery
		if err := s.lookAtMuted(); err != nil {
			return err
		}
	}
	return s.retry()
}

// auditAll looks at all registered descriptors with poll(2). It removes those that are closed. It registers again
// those that are ready, because the poller may have lost them, and those that were ready in the last pass, because
// the poller may report an open file that the number does not refer to any more.
func (s *Selector) auditAll() (err error) {
	began := clock.Now()
	for fd, e := range s.table.All() {
		if e.state == live {
			if s.look(fd, e) {
				if failure := s.reconcile(); failure != nil {
					err = failure
				}
			}
		}
	}
	if failure := s.reconcile(); failure != nil {
		err = failure
	}
	for _, r := range s.ready[:s.told] {
		if e := s.table.At(r.FD); e != nil && e.state == live && s.held(r.FD, e) {
			if failure := s.set(r.FD, e); failure != nil {
				err = failure
			}
		}
	}
	s.planAudit(began)
	return err
}

// planAudit decides when the next audit may come, and when it is due, after one that began at that time. With few
// descriptors, it does not matter how long that one took, because the machine may have stood still meanwhile.
func (s *Selector) planAudit(began time.Duration) {
	now := clock.Now()
	if s.registered <= fewToAudit {
		s.auditSoonest = now + auditFew*time.Duration(runs.Load())
	} else {
		s.auditSoonest = now + auditShare*(now-began)
	}
	s.auditDue = max(now+auditEvery, s.auditSoonest)
}

// auditIsDue reports whether it is time for an audit. With few descriptors, that is whenever a wait begins, unless
// the last audit was less than auditFew ago. But no wait is shortened for this: the timer for a timeout of a
// millisecond costs 2.5 µs (an echo on one connection: 10 µs, and 7.4 with a timeout of a second).
func (s *Selector) auditIsDue(now time.Duration) bool {
	if !s.waited && s.registered <= fewToAudit {
		return now >= s.auditSoonest
	}
	return now >= s.auditDue
}

// look puts an entry into the queue for poll(2), and reports whether the queue is full.
func (s *Selector) look(fd int32, e *entry) bool {
	interest := s.meaning.Interest(poller.Events(e.want))
	s.seen = append(s.seen, unix.PollFd{Fd: fd, Events: int16(interest)})
	return len(s.seen) == lookAtOnce
}

// reconcile looks at the queue with poll(2), corrects the poller, and empties the queue.
func (s *Selector) reconcile() (err error) {
	poller.Look(s.seen)
	for i := range s.seen {
		fd, got := s.seen[i].Fd, poller.Events(uint16(s.seen[i].Revents))
		e := s.table.At(fd)
		switch {
		case got&poller.Invalid != 0:
			s.invalidate(fd, e)
		case s.meaning.Ready(poller.Events(e.want), got) != 0 && s.held(fd, e):
			if failure := s.set(fd, e); failure != nil {
				err = failure
			}
		}
	}
	s.seen = s.seen[:0]
	return err
}

// mute removes an entry from the poller whose conditions mean nothing to the channel: each wait would end at once
// with them.
func (s *Selector) mute(fd int32, e *entry) {
	s.poller.Del(int(fd))
	e.state = muted
	if len(s.muted) == 0 {
		s.lookDue = clock.Now() + lookEvery
	}
	s.muted = append(s.muted, fd)
}

// lookAtMuted registers those again whose conditions have changed.
func (s *Selector) lookAtMuted() (err error) {
	list := s.muted
	s.muted = s.muted[:0]
	for len(list) > 0 {
		some := list[:min(len(list), lookAtOnce)]
		for _, fd := range some {
			s.look(fd, s.table.At(fd))
		}
		poller.Look(s.seen)
		for i, fd := range some {
			e, got := s.table.At(fd), poller.Events(uint16(s.seen[i].Revents))
			if got != 0 && got&poller.Invalid == 0 && s.meaning.Ready(poller.Events(e.want), got) == 0 {
				s.muted = append(s.muted, fd)
				continue
			}
			e.state = live
			if failure := s.add(fd, e); failure != nil {
				err = failure
			}
		}
		s.seen = s.seen[:0]
		list = list[len(some):]
	}
	return err
}

// invalidate removes an entry from the poller that is not open.
func (s *Selector) invalidate(fd int32, e *entry) {
	s.poller.Del(int(fd))
	e.state = invalid
	s.invalid = append(s.invalid, fd)
}

// retry registers again what was not open in the last pass.
func (s *Selector) retry() (err error) {
	list := s.invalid
	s.invalid = s.invalid[:0] // filled again in place, never ahead of the reading
	for _, fd := range list {
		e := s.table.At(fd)
		e.state = live
		if failure := s.add(fd, e); failure != nil {
			err = failure
		}
	}
	return err
}
