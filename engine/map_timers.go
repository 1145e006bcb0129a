//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// AfterFunc: scheduled calls.

package engine

import (
	"time"

	"github.com/goasyncore/goasyncore/engine/internal/clock"
)

// Timer is a call that [Map.AfterFunc] has scheduled. The zero Timer is no call.
type Timer struct {
	timers     *timers
	slot       int32
	generation uint32
}

// AfterFunc schedules a call of f after d. The loop makes it between two passes, not earlier. Functions are
// called in the order in which they are due, and those that are due at the same time in the order in which
// they were scheduled. A panic in f propagates out of Loop.
//
// AfterFunc may be called only on the goroutine of the loop. A loop without channels ends even if calls are
// scheduled; the next loop makes them.
func (m *Map) AfterFunc(d time.Duration, f func()) Timer {
	if f == nil {
		panic("engine: AfterFunc needs a function")
	}
	return m.timers.push(clock.After(m.timers.clock(), max(d, 0)), f, nil)
}

// Stop cancels the call. It returns false if the call has been made or cancelled already.
func (t Timer) Stop() bool { return t.timers != nil && t.timers.stop(t) }

// timers are a map's, in a heap with four children a node: it is half as deep as one with two, and so faster.
// Slots are reused, so that nothing is allocated in steady state. The generation of a slot tells an old Timer
// from the one that uses the slot now.
type timers struct {
	heap  []timerKey
	slots []timerSlot
	free  []int32
	last  uint64        // the number of the Timer that came last
	now   time.Duration // the time when the clock was last read
}

// timerKey decides the order of the heap.
type timerKey struct {
	due    time.Duration
	number uint64
	slot   int32
}

// timerSlot has the function to call, and the place of the timer in the heap.
type timerSlot struct {
	call       func()
	channel    *Dispatcher // whose limits are compared, instead of call
	place      int32       // -1 when it is free
	generation uint32
}

func (k *timerKey) before(other *timerKey) bool {
	return k.due < other.due || k.due == other.due && k.number < other.number
}

// clock reads the clock.
func (t *timers) clock() time.Duration {
	t.now = clock.Now()
	return t.now
}

func (t *timers) push(due time.Duration, call func(), channel *Dispatcher) Timer {
	var slot int32
	if n := len(t.free); n > 0 {
		slot, t.free = t.free[n-1], t.free[:n-1]
	} else {
		slot = int32(len(t.slots))
		t.slots = append(t.slots, timerSlot{})
	}
	s := &t.slots[slot]
	s.call, s.channel = call, channel
	t.last++
	t.heap = append(t.heap, timerKey{})
	t.up(len(t.heap)-1, timerKey{due, t.last, slot})
	return Timer{t, slot, s.generation}
}

func (t *timers) stop(timer Timer) bool {
	s := &t.slots[timer.slot]
	if s.generation != timer.generation || s.place < 0 {
		return false
	}
	t.remove(int(s.place))
	return true
}

// remove removes the timer at a place, and frees its slot.
func (t *timers) remove(place int) {
	slot := t.heap[place].slot
	last := len(t.heap) - 1
	moved := t.heap[last]
	t.heap = t.heap[:last]
	if place < last {
		if place > 0 && moved.before(&t.heap[(place-1)/4]) {
			t.up(place, moved)
		} else {
			t.down(place, moved)
		}
	}
	s := &t.slots[slot]
	s.call, s.channel, s.place = nil, nil, -1
	s.generation++
	t.free = append(t.free, slot)
}

// set puts a key at a place.
func (t *timers) set(place int, k timerKey) {
	t.heap[place] = k
	t.slots[k.slot].place = int32(place)
}

// up puts k at the place, or nearer to the top if it is due before those there.
func (t *timers) up(place int, k timerKey) {
	for place > 0 {
		parent := (place - 1) / 4
		if !k.before(&t.heap[parent]) {
			break
		}
		t.set(place, t.heap[parent])
		place = parent
	}
	t.set(place, k)
}

// down puts k at the place, or farther from the top if those there are due before.
func (t *timers) down(place int, k timerKey) {
	for {
		first := 4*place + 1
		if first >= len(t.heap) {
			break
		}
		best := first
		for child := first + 1; child < min(first+4, len(t.heap)); child++ {
			if t.heap[child].before(&t.heap[best]) {
				best = child
			}
		}
		if !t.heap[best].before(&k) {
			break
		}
		t.set(place, t.heap[best])
		place = best
	}
	t.set(place, k)
}

// fire makes the calls that are due, except those that are scheduled meanwhile: they are made after the next
// pass. It returns the error that ends the loop, if any.
func (t *timers) fire() error {
	if len(t.heap) == 0 {
		return nil
	}
	now, last := t.clock(), t.last
	for len(t.heap) > 0 {
		top := &t.heap[0]
		if top.due > now || top.number > last {
			return nil
		}
		s := &t.slots[top.slot]
		call, channel := s.call, s.channel
		t.remove(0)
		if channel == nil {
			call()
		} else if err := channel.lookAtLimits(now); err != nil {
			return err
		}
	}
	return nil
}

// wait returns how long the loop may wait; negative is for ever.
func (t *timers) wait() time.Duration {
	if len(t.heap) == 0 {
		return -1
	}
	return max(0, t.heap[0].due-t.now)
}
