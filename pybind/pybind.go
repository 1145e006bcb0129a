//go:build gopy_binding

// The functions that gopy exports.

package pybind

// #cgo CFLAGS: -Wall -Wextra
// #include "guest.h"
// #include "module.h"
// #include "run.h"
// #include <stdlib.h>
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
)

// yields is set where Go's monitor thread has no timer slack (see guest.c). Without slack and yielding, an echo costs 1.11
// times as much on one connection, and 1.16 times on ten (yardstick gate on Linux without slack, 25 interleaved rounds).
const yields = runtime.GOOS != "linux"

const finished = -1 // what Run returns if no passes are left to make

// processors is how many Go has. A thread that has called Go keeps one, while it waits and while it is back in Python,
// because Go's monitor takes none away (see guest.c). So there are more processors than such threads.
var processors struct {
	sync.Mutex
	number atomic.Int32
}

func init() {
	processors.number.Store(2)
	runtime.GOMAXPROCS(2)
	takeBallast()
	startThreads(1) // this one is the third
}

// startThreads makes Go start threads until it has at least n+1 in addition to the calling one. Otherwise the collector would
// start them, perhaps when the process may have no more threads; then Go ends the process.
func startThreads(n int) {
	var begun sync.WaitGroup
	begun.Add(n + 1)
	for range n + 1 {
		go func() {
			runtime.LockOSThread() // while it waits, it keeps its thread
			begun.Done()
			begun.Wait()
			runtime.UnlockOSThread()
		}()
	}
	begun.Wait()
}

// makeRoom makes sure that the next thread that calls Go gets a processor. To add some stops the world, so it doubles
// their number.
func makeRoom() {
	threads := atomic.LoadInt32((*int32)(unsafe.Pointer(&C.ga_threads)))
	if threads < processors.number.Load() {
		return
	}
	processors.Lock()
	defer processors.Unlock()
	if n := processors.number.Load(); threads >= n {
		n = max(2*n, threads+1)
		runtime.GOMAXPROCS(int(n))
		startThreads(int(n))
		processors.number.Store(n)
	}
}

// Setup sets the extension up with a tuple of Python objects, given by its address; see _native.py. It is called once,
// before anything else. If it fails, a Python exception is set.
func Setup(tools int64) {
	C.ga_setup(C.intptr_t(tools))
}

// PollerName returns the name of the poller that new maps get.
func PollerName() string {
	makeRoom()
	p, err := poller.Open("")
	if err != nil {
		return err.Error()
	}
	defer func() { _ = p.Close() }()
	return p.Name()
}

// Run makes the passes of a run that C has begun, over the map whose ga_map is at that address, until the map is
// empty; at most count passes, if count is not negative. timeout is in seconds, negative for an infinite one. It
// returns -1 if no passes are left to make, else how many it made: the others must be portable. With settle, the run
// does not end because the map is empty, and what the channels wait for stays registered; then it returns count,
// unless passes must be portable. If a Python exception is set, the result means nothing.
func Run(address int64, timeout float64, usePoll bool, count int, settle bool) (made int) {
	m := (*C.ga_map)(C.ga_at(C.intptr_t(address)))
	defer func() {
		if r := recover(); r != nil {
			text := C.CString(fmt.Sprintf("the engine failed: %v\n%s", r, debug.Stack()))
			C.ga_panic(m, text)
			C.free(unsafe.Pointer(text))
		}
	}()
	makeRoom()
	options := selector.Options{Timeout: -1, Meaning: selector.Select, Count: count, Settle: settle, BeginShort: !yields, Yield: yields}
	if timeout >= 0 {
		options.Timeout = time.Duration(timeout * float64(time.Second))
	}
	if usePoll {
		options.Meaning = selector.Poll
	}
	if m == nil {
		panic("Run needs the address of a map")
	}
	serve(m, options)
	if m.status == C.GA_FINISHED {
		return finished
	}
	return int(m.passes)
}

// serve makes the passes of one run.
func serve(m *C.ga_map, options selector.Options) {
	source, err := sourceOf(m)
	if err != nil { // no descriptor is left for a poller
		C.ga_hand_over(m)
		return
	}
	source.entered = true
	if !source.reportDescriptors() {
		return
	}
	options.Due, options.Opened, options.Alarm = source.due, source.opened, source
	err = source.selector.Run(source, options)
	m.passes = C.int(source.selector.Passes())
	switch {
	case m.status != C.GA_RUNNING: // a Step ended it
	case err == nil && options.Settle:
		source.settle()
	default:
		errno := unix.EINVAL
		errors.As(err, &errno)
		C.ga_fail(m, C.int(errno))
	}
}
