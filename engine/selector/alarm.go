//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Alarm: waits of busy Runs without a timeout of their own.

package selector

import "time"

// Alarm wakes pollers whose wait has no timeout of its own. A wait with a timeout sets a timer in the kernel when it
// begins and removes it when it ends, and in a busy Run no such timer ever expires. Of the 13 µs that an echo takes in
// one of 8 threads these are 0.85. It is used while other Runs are under way.
type Alarm interface {
	// Begin is called before a wait. If it returns true, the poller is woken at some time before
	// alarmWithin has passed, and again and again until End is called.
	Begin() bool
	End()
}

// alarmWithin is how long a wait must be allowed to last to rely on the Alarm.
const alarmWithin = 75 * time.Millisecond

// A Run is busy if something becomes ready in each of so many waits within that time. Then the Alarm costs less than the
// timers of the waits.
const (
	busyWaits = 8
	busyTime  = 10 * time.Millisecond
)

// pollFor makes one wait of the poller that lasts up to that long, perhaps less: see shortWait and Alarm.
func (s *Selector) pollFor(timeout time.Duration, o *Options) (int, error) {
	if s.waited || timeout >= 0 && timeout <= shortWait {
		return s.poll(timeout)
	}
	several := runs.Load() > 1
	short := o.BeginShort && several
	hasTimer := short || timeout >= 0
	switch {
	case s.busy && several && hasTimer && (timeout < 0 || timeout >= alarmWithin) && o.Alarm != nil && o.Alarm.Begin():
		defer o.Alarm.End()
		return s.poll(-1)
	case short:
		return s.poll(shortWait)
	}
	return s.poll(timeout)
}

// somethingWasReady counts a wait in which something became ready, and finds out whether the Run is busy.
func (s *Selector) somethingWasReady() {
	if s.waits++; s.waits == busyWaits {
		s.busy = s.now-s.counted < busyTime
		s.waits, s.counted = 0, s.now
	}
}
