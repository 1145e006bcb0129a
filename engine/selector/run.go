//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Run: passes until the source ends them.

package selector

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/clock"
	"github.com/goasyncore/goasyncore/engine/internal/descriptor"
	"github.com/goasyncore/goasyncore/engine/poller"
)

// ErrRunning is the error of Run while another Run of the same Selector has not ended.
var ErrRunning = errors.New("engine: the selector is running already")

// Source is what a loop serves. It stands for the channels of a map.
type Source interface {
	// Step tells the channels what happened: ready is in map order, and its events are in the terms of
	// the pass's Meaning. Then, if collect is true, it returns what has changed in what the channels
	// wait for since the last Step that collected. The changes are the source's memory, and must not
	// change before the next Step. If more is false the Run ends, because the map is empty or an
	// exception is pending, and the changes are not applied.
	Step(ready []poller.Ready, collect bool) (changes []Change, more bool)

	// Interrupted is called when a signal has ended the wait. If it returns true, the Run waits for the
	// rest of the timeout; if it returns false, the Run ends.
	Interrupted() bool

	// Holds reports whether the last Change for fd, with that Order, still holds. It is called during a
	// wait, about a descriptor that seems to be closed or replaced: if the source has given the channel
	// up meanwhile, this wait ignores the descriptor, and the next Step reports the change.
	Holds(fd int32, order uint64) bool
}

// Change is what a channel waits for from now on. 16 bytes; C has the same struct.
type Change struct {
	FD   int32
	Want poller.Events // of Read and Write; 0 forgets the descriptor
	// Order is the channel's place in the map: channels are told in rising Order. A Change whose Order
	// is not that of the descriptor's last Change is about another entry of the map, and perhaps
	// another open file.
	Order uint64
}

// Options are the options of Run.
type Options struct {
	Timeout time.Duration // how long a pass waits at most; negative is for ever
	Meaning Meaning       // the call that the passes imitate
	Count   int           // how many passes at most; negative is no limit

	// Due, if given, returns after what time the wait that begins has to end, whatever the timeout;
	// negative is no limit. It is called again after each wake-up, which ends the wait only if Due
	// returns 0. Without Due, every wake-up ends the wait.
	Due func() time.Duration

	// Opened, if given, is called before a wait if the poller has opened other descriptors, perhaps
	// another WakeFD. If it returns false, the Run ends.
	Opened func() bool

	// BeginShort makes a long wait begin with a short one while other Runs are under way; see shortWait. A
	// wait that relies on the Alarm is not as short.
	BeginShort bool

	// Alarm, if given, ends long waits of a busy Run in the place of the timeout.
	Alarm Alarm

	// Yield lets Go's scheduler run other goroutines every few milliseconds; see yieldEvery.
	Yield bool

	// Settle makes Run collect once more after the last of Count passes. What the channels wait for
	// stays registered, and the poller's own descriptor is readable when another Run has something to
	// do; see Descriptor and Again.
	Settle bool
}

// verifyEvery is the shortest time between two checks of whether the poller's descriptors are still its own, for each
// Run that is under way. A check makes three system calls: in each pass, it would make a pass with one event 2.4 times
// as long (2,899 instead of 1,203 ns, the best of 15 interleaved runs of BenchmarkPassWithOneReady). With 16 loops that
// take turns, a pass comes only every 0.3 ms; if each checked every millisecond, a message would make 0.8 system calls
// more.
const verifyEvery = time.Millisecond

// shortWait is how long a wait with BeginShort lasts before it is made again for the time that is left.
//
// When Go 1.26 stops the world, it can overlook a goroutine that is just entering a system call. It waits for that
// one, and so do all other goroutines, until the call ends or Go's monitor thread notices, which takes long if that
// thread has timer slack. A goroutine that enters another call finds out itself.
//
// The kernel's clock ticks every 4 or 10 ms anyway. A timer that expires before the next tick costs more, because the
// clock must be set: with 8 loops in 8 threads, a message takes 23.2 µs with 1 ms and 19.4 µs with 10 ms.
const shortWait = 10 * time.Millisecond

var runs atomic.Int32 // how many are under way

// yieldEvery is how often a Run with Yield yields. Go's monitor thread takes the processor away, every 20 µs, from a
// goroutine that the scheduler has not seen for 10 ms.
const yieldEvery = 4 * time.Millisecond

// Run makes passes over the source until the source ends them, or until Count of them are made. A pass consists
// of one Step, which tells what the pass before found and collects what to wait for, and one wait. A last Step,
// which does not collect, tells what the last pass found. So channels are asked Count times; with a Count of 0
// nothing happens. A wake-up ends the wait, and so the pass, with nothing ready. Nothing else that other threads do
// ends a wait: the next Step reports it.
//
// The error wraps EBADF if, in select's meaning, a descriptor is not open. Other errors are those of system calls.
// After an error, the Selector can be used for another Run.
func (s *Selector) Run(src Source, o Options) error {
	if !s.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer s.running.Store(false)
	if o.Count == 0 {
		return nil
	}
	runs.Add(1)
	defer runs.Add(-1)
	s.passes = 0
	if !o.Settle { // such Runs are a pass each: they leave the audit to its time
		if s.registered <= fewToAudit {
			s.auditSoonest = 0
		}
		s.auditDue = s.auditSoonest
	}
	var ready []poller.Ready
	for {
		more, err := s.step(src, ready, o.Meaning)
		if err != nil || !more {
			return err
		}
		if o.Yield && s.now-s.yielded >= yieldEvery {
			runtime.Gosched()
			s.now = clock.Now()
			s.yielded = s.now
		}
		ready, more, err = s.wait(src, &o)
		if err != nil || !more {
			return err
		}
		if s.passes++; s.passes == o.Count {
			if o.Settle {
				_, err = s.step(src, ready, o.Meaning)
			} else {
				src.Step(ready, false)
			}
			return err
		}
	}
}

// Passes returns how many passes the current Run, or else the last one, has made. During a Step that tells what a
// wait found, the pass of that wait is included.
func (s *Selector) Passes() int { return s.passes }

// step makes a Step that collects, and applies the changes.
func (s *Selector) step(src Source, ready []poller.Ready, meaning Meaning) (more bool, err error) {
	changes, more := src.Step(ready, true)
	if !more {
		return false, nil
	}
	if s.now = clock.Now(); s.now-s.verified >= verifyEvery*time.Duration(runs.Load()) {
		s.verified = s.now
		if err = s.poller.Verify(); err != nil {
			err = s.replace(err)
		}
	}
	if s.meaning != meaning {
		err = errors.Join(err, s.remean(meaning))
	}
	for _, c := range changes {
		if e := s.change(c); e != nil {
			err = e
		}
	}
	return true, err
}

// renewedNow reports whether Renewed has risen since the last call.
func (s *Selector) renewedNow() bool {
	before := s.renewals
	s.renewals = s.Renewed()
	return s.renewals != before
}

// wait waits until there is something to tell or the timeout has passed. It does not read the clock if something
// is ready.
func (s *Selector) wait(src Source, o *Options) (ready []poller.Ready, more bool, err error) {
	now := s.now
	timedOut := clock.After(now, o.Timeout)
	end := o.end(now, timedOut)
	s.source, s.waited, s.audited = src, false, false
	interrupted := false
	for {
		if s.renewedNow() && o.Opened != nil && !o.Opened() {
			return nil, false, nil
		}
		if err := s.inspect(now); err != nil {
			return nil, false, err
		}
		slice := s.slice(now, end)
		n, err := s.pollFor(slice, o)
		s.waited = true
		if errors.Is(err, unix.EINTR) {
			_, _ = s.poller.Drain() // removes the signal's byte; the next wait finds out what is wrong
			if !src.Interrupted() {
				return nil, false, nil
			}
			// Python calls select(2) again then, which finds what the signal's handler has closed.
			interrupted, s.audited, s.auditDue = true, false, s.auditSoonest
		} else if err != nil {
			if err := s.replace(err); err != nil {
				return nil, false, err
			}
		}
		woken := s.poller.Woken() // also after a signal: Drain has consumed its byte
		ready, closed := s.digest(n)
		if s.meaning == Select && len(s.invalid) > 0 {
			return nil, false, descriptor.NotOpen("select")
		}
		if len(ready) > 0 {
			s.somethingWasReady()
			return ready, true, nil
		}
		s.busy = false
		now = clock.Now()
		if woken && o.Due != nil {
			end = o.end(now, timedOut)
			woken = false
		}
		if now >= end || woken || closed && interrupted {
			return nil, true, nil
		}
	}
}

// end returns when a wait that times out at timedOut ends if nothing is ready until then.
func (o *Options) end(now, timedOut time.Duration) time.Duration {
	if o.Due == nil {
		return timedOut
	}
	return min(timedOut, clock.After(now, o.Due()))
}

// Descriptor returns the poller's own descriptor, which is readable when a registered descriptor is ready or the
// poller was woken; -1 if this poller has none.
func (s *Selector) Descriptor() int {
	if s.kernel != nil {
		return s.kernel.Descriptor()
	}
	return -1
}

// Again returns after what time a Run has something to do that does not make the Descriptor readable: about
// descriptors that are always ready, not open, or looked at from time to time. Negative is never.
func (s *Selector) Again() time.Duration {
	if len(s.invalid) > 0 || s.kernel != nil && s.kernel.Silent() {
		return 0
	}
	if len(s.muted) > 0 {
		return max(0, s.lookDue-clock.Now())
	}
	return -1
}

// slice returns how long to wait at most before the next look at something.
func (s *Selector) slice(now, end time.Duration) time.Duration {
	until := end
	if s.kernel != nil && s.registered > 0 && !s.audited {
		until = min(until, s.auditDue)
	}
	if len(s.muted) > 0 {
		until = min(until, s.lookDue)
	}
	switch {
	case len(s.invalid) > 0:
		return 0
	case until == clock.Never:
		return -1
	}
	return max(0, until-now)
}

// poll makes one wait of the poller. If the room was too small, it grows, and a second wait returns everything: the
// first one has consumed nothing.
func (s *Selector) poll(timeout time.Duration) (int, error) {
	n, err := s.poller.Wait(s.ready, timeout)
	for err == nil && n == len(s.ready) && n < s.registered {
		s.ready = make([]poller.Ready, min(2*n, s.registered))
		n, err = s.poller.Wait(s.ready, 0)
	}
	return n, err
}
