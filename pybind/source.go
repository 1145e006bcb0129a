//go:build gopy_binding

// The engine's Source over a mirrored map.

package pybind

// #include "alarm.h"
// #include "run.h"
import "C"

import (
	"runtime/cgo"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
)

// C and Go share these structs.
var (
	_ = [1]byte{}[unsafe.Sizeof(poller.Ready{})-unsafe.Sizeof(C.ga_ready{})]
	_ = [1]byte{}[unsafe.Sizeof(selector.Change{})-unsafe.Sizeof(C.ga_change{})]
)

// dictSource presents a Python dict of channels to the engine.
type dictSource struct {
	m        *C.ga_map
	selector *selector.Selector
	renewed  int  // what selector.Renewed() was when C got the descriptors
	entered  bool // C has already collected what the first Step asks for
	alarm    alarm
	due      func() time.Duration
	opened   func() bool
}

var (
	_ selector.Source = (*dictSource)(nil)
	_ selector.Alarm  = (*dictSource)(nil)
)

// alarm says whether the thread of alarm.c looks after the map's waits.
type alarm uint8

const (
	notAsked alarm = iota
	asked
	refused
)

const forever = 9e9 // seconds, almost more than a Duration holds

// mayPanic is for tests: see faults.go.
var mayPanic = func() {}

// sourceOf returns what serves m, made at the first run.
func sourceOf(m *C.ga_map) (*dictSource, error) {
	if m.handle != 0 {
		return cgo.Handle(m.handle).Value().(*dictSource), nil
	}
	for gone := C.ga_next_abandoned(); gone != 0; gone = C.ga_next_abandoned() {
		cgo.Handle(gone).Value().(*dictSource).selector.Abandon()
		cgo.Handle(gone).Delete()
	}
	p, err := poller.Open("")
	if err != nil {
		return nil, err
	}
	source := &dictSource{m: m, selector: selector.New(p), renewed: -1}
	source.due, source.opened = source.dueIn, source.reportDescriptors // once: a steady loop allocates nothing
	m.handle = C.uintptr_t(cgo.NewHandle(source))
	return source, nil
}

// reportDescriptors gives C the poller's descriptors if it does not know them. It is selector.Options.Opened.
func (s *dictSource) reportDescriptors() bool {
	if renewed := s.selector.Renewed(); renewed != s.renewed {
		s.renewed = renewed
		read, write := -1, -1
		if fds := s.selector.Poller().FDs(); len(fds) > 1 {
			read, write = fds[len(fds)-2], fds[len(fds)-1]
		}
		C.ga_opened(s.m, C.int(s.selector.Descriptor()), C.int(read), C.int(write))
	}
	return s.m.status == C.GA_RUNNING
}

// passSignalsOn does what CPython would have done with the numbers of the signals that came during the wait.
func (s *dictSource) passSignalsOn() {
	if numbers := s.selector.Signals(); len(numbers) > 0 {
		C.ga_pass_signals_on(s.m, unsafe.Pointer(unsafe.SliceData(numbers)), C.int(len(numbers)))
	}
}

// dueIn is selector.Options.Due. Other threads may schedule an earlier call at any time: they set its time first, and
// then write to the waker.
func (s *dictSource) dueIn() time.Duration {
	if atomic.LoadInt32((*int32)(unsafe.Pointer(&s.m.timed))) == 0 {
		return -1
	}
	seconds := float64(C.ga_due_in(s.m))
	if seconds < 0 || seconds > forever {
		return -1
	}
	return time.Duration(seconds * float64(time.Second))
}

// settle ends a run after which the poller's descriptor reports ready channels.
func (s *dictSource) settle() {
	s.m.descriptor = C.int(s.selector.Descriptor())
	s.m.renewed = C.int(s.selector.Renewed())
	s.m.again = -1
	if again := s.selector.Again(); again >= 0 {
		s.m.again = C.double(again.Seconds())
	}
	C.ga_settle(s.m)
}

// Step implements selector.Source.
func (s *dictSource) Step(ready []poller.Ready, collect bool) ([]selector.Change, bool) {
	mayPanic()
	s.passSignalsOn()
	if s.entered {
		s.entered = false
	} else {
		asked := C.int(0)
		if collect {
			asked = 1
		}
		s.m.passes = C.int(s.selector.Passes()) // for a child that does not come back
		C.ga_step(s.m, (*C.ga_ready)(unsafe.Pointer(unsafe.SliceData(ready))), C.int(len(ready)), asked)
	}
	mayPanic()
	changes := unsafe.Slice((*selector.Change)(unsafe.Pointer(s.m.changes)), int(s.m.change_count))
	return changes, s.m.status == C.GA_RUNNING
}

// Holds implements selector.Source.
func (s *dictSource) Holds(fd int32, order uint64) bool {
	return C.ga_holds(s.m, C.int(fd), C.uint64_t(order)) != 0
}

// Interrupted implements selector.Source.
func (s *dictSource) Interrupted() bool {
	s.passSignalsOn()
	C.ga_interrupted(s.m)
	return s.m.status == C.GA_RUNNING
}

// Begin implements selector.Alarm.
func (s *dictSource) Begin() bool {
	tick := (*uint32)(unsafe.Pointer(&C.ga_alarm_tick))
	if s.alarm == notAsked || s.alarm == asked && atomic.LoadUint32(tick) == 0 {
		s.alarm = asked
		if C.ga_begin_alarm(s.m) == 0 {
			s.alarm = refused
		}
		return false // the thread has to begin
	}
	if s.alarm == refused {
		return false
	}
	s.rely(atomic.LoadUint32(tick)<<1 | 1)
	if atomic.LoadUint32(tick) == 0 { // perhaps the thread has not seen it
		s.End()
		return false
	}
	return true
}

// End implements selector.Alarm.
func (s *dictSource) End() { s.rely(uint32(s.m.relies) &^ 1) }

func (s *dictSource) rely(value uint32) {
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&s.m.relies)), value)
}
