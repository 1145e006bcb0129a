//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Idle timeouts and deadlines.

package engine

import (
	"time"

	"github.com/goasyncore/goasyncore/engine/internal/clock"
)

// times are a channel's idle timeout and deadline. They cost almost nothing until they are reached: Recv and
// Send only store the time, and the timer compares it when it is due.
type times struct {
	d        *Dispatcher
	timer    Timer
	due      time.Duration // when timer is
	idle     time.Duration
	last     time.Duration // when something was received or sent
	deadline time.Duration // 0 is none
	rest     time.Duration // for how long the channel last stopped accepting
}

// SetIdleTimeout makes the loop call HandleTimeout whenever nothing has been received or sent for that
// long. 0 removes the timeout.
func (d *Dispatcher) SetIdleTimeout(timeout time.Duration) {
	t := d.limits()
	t.idle, t.last = max(timeout, 0), clock.Now()
	t.arm()
}

// SetDeadline makes the loop call HandleTimeout once, at that time. The zero time removes it.
func (d *Dispatcher) SetDeadline(at time.Time) {
	t := d.limits()
	if at.IsZero() {
		t.deadline = 0
	} else {
		t.deadline = max(1, clock.After(clock.Now(), max(0, time.Until(at))))
	}
	t.arm()
}

// limits returns d's times, and makes them if there are none.
func (d *Dispatcher) limits() *times {
	if d.times == nil {
		d.times = &times{d: d}
	}
	return d.times
}

// active notes that something was received or sent: at the time when the pass began, for which the
// clock is read anyway.
func (d *Dispatcher) active() {
	d.times.last = max(d.times.last, d.m.timers.now)
}

// next returns when one of the limits is reached if nothing happens.
func (t *times) next() time.Duration {
	due := clock.Never
	if t.deadline > 0 {
		due = t.deadline
	}
	if t.idle > 0 {
		due = min(due, clock.After(t.last, t.idle))
	}
	return due
}

// arm sets the timer, unless it is due early enough. A timer that is due too early does no harm: it finds
// no limit reached, and is set again.
func (t *times) arm() {
	due := t.next()
	armed := t.timer.pending()
	if due == clock.Never || !t.d.inMap || armed && t.due <= due {
		return
	}
	if armed {
		t.timer.Stop()
	}
	t.d.m.timers.clock()
	t.due = due
	t.timer = t.d.m.timers.push(due, nil, t.d)
}

// pending reports whether the timer is set and not yet due.
func (t Timer) pending() bool {
	return t.timers != nil && t.timers.slots[t.slot].generation == t.generation
}

// lookAtLimits calls HandleTimeout if a limit is reached, and returns the error that
// ends the loop, if any.
func (d *Dispatcher) lookAtLimits(now time.Duration) error {
	t := d.times
	if t.next() > now {
		t.arm()
		return nil
	}
	if t.deadline > 0 && t.deadline <= now {
		t.deadline = 0
	} else {
		t.last = now
	}
	t.arm()
	return d.tell((*Dispatcher).timeoutEvent)
}
