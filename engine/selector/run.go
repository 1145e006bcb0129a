//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Run: passes until the source ends them.

package selector

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/clock"
	"github.com/goasyncore/goasyncore/engine/internal/descriptor"
	"github.com/goasyncore/goasyncore/engine/poller"
)

// ErrRunning is what Run answers while another Run of the same Selector has not ended.
var ErrRunning = errors.New("engine: the selector is running already")

// Source is what a loop serves: it stands for the channels of a map.
type Source interface {
	// Step tells the channels what happened: ready is in map order, its events are in the terms
	// of the pass's Meaning. Then, when collect is true, it answers what changed in what the
	// channels wait for since it last answered. The changes are the source's memory and stay
	// as they are until the next Step. That more is false ends the Run, because the map is empty
	// or an exception is pending; the changes are not applied then.
	Step(ready []poller.Ready, collect bool) (changes []Change, more bool)

	// Interrupted is called when a signal ended the wait. false ends the Run, true has it wait
	// for the rest of the timeout.
	Interrupted() bool

	// Holds reports whether what the source last answered about fd, with that Order, still holds.
	// It is asked about what seems closed or replaced while a wait is under way: what the source has
	// given up meanwhile is none of that wait's, and the next Step answers for it.
	Holds(fd int32, order uint64) bool
}

// Change is what a channel waits for from now on. 16 bytes; C has the same struct.
type Change struct {
	FD   int32
	Want poller.Events // of Read and Write; 0 forgets the descriptor
	// Order is the channel's place in the map: ready channels are told in rising Order. A Change
	// with another Order than the descriptor's last one is about another entry of the map, and
	// maybe another open file.
	Order uint64
}

// Options are a Run's.
type Options struct {
	Timeout time.Duration // how long a pass waits at most; negative is for ever
	Meaning Meaning       // the call that the passes imitate
	Count   int           // how many passes at most; negative is no limit

	// Due, if given, is how soon the source wants the wait that begins to end, whatever the
	// timeout; negative is that it does not mind. It is asked anew after each wake-up, which ends
	// the wait only if Due says so. Without it, every wake-up does.
	Due func() time.Duration

	// Opened, if given, is called before a wait when the poller's descriptors have got other numbers, the
	// WakeFD among them. false ends the Run.
	Opened func() bool

	// Settle has the source asked once more after the last of Count passes. What the channels wait
	// for then stays with the poller, whose own descriptor tells when another Run has something
	// to do; see Descriptor and Again.
	Settle bool
}

// verifyEvery is how often the poller looks whether its descriptors are its own, in a loop that does not
// rest. The look is three system calls; one in each pass makes a pass with one event 2.4 times as long (2,899
// against 1,203 ns, the best of 15 interleaved runs of BenchmarkPassWithOneReady).
const verifyEvery = time.Millisecond

// Run runs passes over the source until it has no more, or Count of them are done. Each pass is
// one Step that tells what the pass before found and asks for what to wait for, and one wait; what
// the last pass found is told by a Step that collects nothing. So channels are asked Count times,
// and with a Count of 0 nothing happens at all. A wake-up ends the wait, and so the pass, with
// nothing ready. Nothing else that other threads do ends one: the next Step answers for it.
//
// It answers an error wrapping EBADF when, in select's meaning, a descriptor is not open, and
// whatever else the system calls refuse. The Selector is good for another Run then.
func (s *Selector) Run(src Source, o Options) error {
	if !s.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer s.running.Store(false)
	if o.Count == 0 {
		return nil
	}
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

// Passes is how many passes the Run that is under way, or the last one, has made. During a Step that
// tells what a wait found, that wait's pass counts.
func (s *Selector) Passes() int { return s.passes }

// step tells, asks and applies the answer.
func (s *Selector) step(src Source, ready []poller.Ready, meaning Meaning) (more bool, err error) {
	changes, more := src.Step(ready, true)
	if !more {
		return false, nil
	}
	if s.now = clock.Now(); s.now-s.verified >= verifyEvery {
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

// renewedNow says whether Renewed has risen since the last call.
func (s *Selector) renewedNow() bool {
	before := s.renewals
	s.renewals = s.Renewed()
	return s.renewals != before
}

// wait waits until there is something to tell or the timeout has gone by. It reads no clock if something
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
		n, err := s.poll(s.slice(now, end))
		s.waited = true
		if errors.Is(err, unix.EINTR) {
			_, _ = s.poller.Drain() // of the signal's own byte; the next wait finds out what is wrong
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
		woken := s.poller.Woken() // beside a signal too: its byte is taken then
		ready, closed := s.digest(n)
		if s.meaning == Select && len(s.invalid) > 0 {
			return nil, false, descriptor.NotOpen("select")
		}
		if len(ready) > 0 {
			return ready, true, nil
		}
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

// end is when a wait that times out at timedOut ends if nothing is ready until then.
func (o *Options) end(now, timedOut time.Duration) time.Duration {
	if o.Due == nil {
		return timedOut
	}
	return min(timedOut, clock.After(now, o.Due()))
}

// Descriptor is the poller's own descriptor, readable when one that is registered is ready or the
// poller was woken; -1 if this poller has none.
func (s *Selector) Descriptor() int {
	if s.kernel != nil {
		return s.kernel.Descriptor()
	}
	return -1
}

// Again is how soon a Run has something to do of which the Descriptor does not tell: descriptors that
// are always ready or not open, and those that get a look now and then. Negative is never.
func (s *Selector) Again() time.Duration {
	if len(s.invalid) > 0 || s.kernel != nil && s.kernel.Silent() {
		return 0
	}
	if len(s.muted) > 0 {
		return max(0, s.lookDue-clock.Now())
	}
	return -1
}

// slice is how long to wait at most before the next look at something.
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

// poll is one wait of the poller, whose room grows when it was too small: nobody took anything in
// between, so the second wait tells all of it again.
func (s *Selector) poll(timeout time.Duration) (int, error) {
	n, err := s.poller.Wait(s.ready, timeout)
	for err == nil && n == len(s.ready) && n < s.registered {
		s.ready = make([]poller.Ready, min(2*n, s.registered))
		n, err = s.poller.Wait(s.ready, 0)
	}
	return n, err
}
