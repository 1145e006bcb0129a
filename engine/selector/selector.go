//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Selector: what is waited for, kept from pass to pass.

package selector

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/descriptor"
	"github.com/goasyncore/goasyncore/engine/poller"
)

// Selector keeps what channels wait for from one pass to the next, in map order, whatever happens to the poller
// and to the descriptors meanwhile.
//
// One goroutine at a time may use it. To wake a Run from another goroutine, use the Poller or the WakeFD from the
// start of the Run: they are valid until Close.
type Selector struct {
	poller     poller.Poller
	kernel     poller.InKernel // the poller, if it is InKernel
	running    atomic.Bool
	passes     int
	meaning    Meaning
	table      descriptor.Table[entry]
	registered int
	ready      []poller.Ready // what the poller reported, then what the source is told
	told       int            // how many of ready the source is told
	placed     []placed
	muted      []int32
	invalid    []int32
	now        time.Duration // when the last Step ended
	source     Source        // of the current wait
	waited     bool          // the poller has been called in this wait
	verified   time.Duration // when the poller last checked its own descriptors
	waits      int           // how many were counted since the last decision whether the Run is busy
	counted    time.Duration // when that was
	busy       bool
	yielded    time.Duration // when the Run has last yielded
	renewals   int           // what Renewed was when the source was last told
	audit
}

// entry is what is known about a registered descriptor.
type entry struct {
	order uint64
	want  uint8
	state state
}

// state says what reports the events of an entry.
type state uint8

const (
	live     state = iota // the poller
	muted                 // a look from time to time: what the poller reported meant nothing to the channel
	invalid               // the next pass tries again: it is not open
	disowned              // nothing: it was closed during the wait, and the source has given it up
)

// placed is a Ready with its place in the map.
type placed struct {
	order uint64
	ready poller.Ready
}

// New returns a Selector that uses p and owns it.
func New(p poller.Poller) *Selector {
	s := &Selector{poller: p, ready: make([]poller.Ready, 16)}
	s.kernel, _ = p.(poller.InKernel)
	s.renewals, s.verified = s.Renewed(), -verifyEvery
	return s
}

// Poller returns the poller in use. If the first one has reached a limit of the kernel, it is another one, poll.
func (s *Selector) Poller() poller.Poller { return s.poller }

// WakeFD returns the poller's WakeFD. It stays the same when the poller changes.
func (s *Selector) WakeFD() int { return s.poller.WakeFD() }

// Renewed rises when the poller has opened descriptors in the place of others, perhaps under the same numbers:
// because the program has closed them, an entry of a set could not be reached any more, or another poller is in use.
func (s *Selector) Renewed() int { return s.poller.Renewed() }

// Signals returns the bytes other than 0 that were written to the WakeFD since the last call. They are valid until
// the next wait.
func (s *Selector) Signals() []byte { return s.poller.Signals() }

// Close closes the poller.
func (s *Selector) Close() error { return s.poller.Close() }

// Abandon abandons the poller.
func (s *Selector) Abandon() { s.poller.Abandon() }

// change applies a Change. It is not an error here if the descriptor is not open.
func (s *Selector) change(c Change) error {
	want := c.Want & (poller.Read | poller.Write)
	e := s.table.At(c.FD)
	if want == 0 {
		s.forget(c.FD, e)
		return nil
	}
	if e == nil {
		e = s.table.Made(c.FD)
	}
	known := e.want != 0 && e.order == c.Order && e.state == live
	if e.want == 0 {
		s.registered++
	}
	s.unlist(c.FD, e)
	e.want, e.order = uint8(want), c.Order
	if known {
		return s.accept(c.FD, e, s.poller.Set(int(c.FD), s.meaning.Interest(want)))
	}
	return s.add(c.FD, e)
}

func (s *Selector) forget(fd int32, e *entry) {
	if e == nil {
		return
	}
	if e.state == live {
		s.poller.Del(int(fd))
	}
	s.unlist(fd, e)
	s.registered--
	s.table.Drop(fd)
}

// unlist makes an entry live.
func (s *Selector) unlist(fd int32, e *entry) {
	switch e.state {
	case muted:
		s.muted = descriptor.Without(s.muted, fd)
	case invalid:
		s.invalid = descriptor.Without(s.invalid, fd)
	}
	e.state = live
}

// add gives a live entry to the poller.
func (s *Selector) add(fd int32, e *entry) error {
	return s.accept(fd, e, s.poller.Add(int(fd), s.meaning.Interest(poller.Events(e.want))))
}

// set tells the poller of a live entry again.
func (s *Selector) set(fd int32, e *entry) error {
	return s.accept(fd, e, s.poller.Set(int(fd), s.meaning.Interest(poller.Events(e.want))))
}

// accept deals with the error of the poller for a live entry, if there is one.
func (s *Selector) accept(fd int32, e *entry, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, poller.ErrLost) && s.poller.Verify() == nil {
		err = s.poller.Add(int(fd), s.meaning.Interest(poller.Events(e.want)))
	}
	if errors.Is(err, unix.EBADF) {
		s.invalidate(fd, e)
		return nil
	}
	if err == nil {
		return nil
	}
	return s.replace(err)
}

// remean changes the meaning, and the interest of those entries to which this makes a difference.
func (s *Selector) remean(m Meaning) (err error) {
	old := s.meaning
	s.meaning = m
	for fd, e := range s.table.All() {
		switch want := poller.Events(e.want); {
		case e.state == muted:
			s.unlist(fd, e)
			err = errors.Join(err, s.add(fd, e))
		case e.state == live && old.Interest(want) != m.Interest(want):
			err = errors.Join(err, s.set(fd, e))
		}
	}
	return err
}

// replace continues with poll(2) when the poller cannot: epoll has a limit, and there may be no descriptor for
// another set. The waker stays.
func (s *Selector) replace(cause error) error {
	if s.kernel == nil || errors.Is(cause, os.ErrClosed) {
		return cause
	}
	p := s.kernel.HandOver()
	for fd, e := range s.table.All() {
		if e.state == live {
			p.Add(int(fd), s.meaning.Interest(poller.Events(e.want)))
		}
	}
	s.poller, s.kernel = p, nil
	return nil
}

// held reports whether an entry is as it was when the wait began, as far as the source knows. Before the poller is
// called, every entry is, and the source is not asked: that would need Python's lock.
func (s *Selector) held(fd int32, e *entry) bool {
	return !s.waited || s.source.Holds(fd, e.order)
}

// disown ignores what another thread has closed during the wait, and whose channel it has removed from the map.
// It reports whether there was any.
func (s *Selector) disown() bool {
	kept := s.invalid[:0]
	for _, fd := range s.invalid {
		if e := s.table.At(fd); s.held(fd, e) {
			kept = append(kept, fd)
		} else {
			e.state = disowned
		}
	}
	any := len(kept) < len(s.invalid)
	s.invalid = kept
	return any
}

// digest turns the first n of ready, which the poller has reported, into what the source is told. It mutes entries
// whose events mean nothing to the channel, and reports whether a descriptor was closed during the wait.
func (s *Selector) digest(n int) (ready []poller.Ready, closed bool) {
	s.placed = s.placed[:0]
	for _, r := range s.ready[:n] {
		e := s.table.At(r.FD)
		if e == nil || e.state != live {
			continue
		}
		if r.Events&poller.Invalid != 0 {
			s.invalidate(r.FD, e)
			continue
		}
		events := s.meaning.Ready(poller.Events(e.want), r.Events)
		if events == 0 {
			s.mute(r.FD, e)
			continue
		}
		s.placed = append(s.placed, placed{e.order, poller.Ready{FD: r.FD, Events: events}})
	}
	if len(s.invalid) > 0 {
		closed = s.disown()
	}
	if s.meaning == Poll {
		for _, fd := range s.invalid {
			s.placed = append(s.placed, placed{s.table.At(fd).order, poller.Ready{FD: fd, Events: poller.Invalid}})
		}
	}
	if len(s.placed) > 1 {
		slices.SortFunc(s.placed, func(a, b placed) int { return cmp.Compare(a.order, b.order) })
	}
	s.ready = descriptor.Grown(s.ready, len(s.placed)-1)
	for i := range s.placed {
		s.ready[i] = s.placed[i].ready
	}
	s.told = len(s.placed)
	return s.ready[:s.told], closed
}
