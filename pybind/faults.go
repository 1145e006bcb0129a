//go:build gopy_binding && goasyncore_faults

// Panics on demand, for tests: Go code of the engine fails in builds with their tag.

package pybind

import "sync/atomic"

var (
	stepsLeft   atomic.Int64 // calls of mayPanic until the one that panics
	dereference atomic.Bool
)

// PanicIn makes the n-th call of mayPanic from now on panic; each Step makes two. With nil, it is a panic about a nil
// pointer, which begins as a signal.
func PanicIn(n int, nil bool) {
	dereference.Store(nil)
	stepsLeft.Store(int64(n))
}

func init() {
	mayPanic = panicIfAsked
}

func panicIfAsked() {
	if stepsLeft.Load() <= 0 || stepsLeft.Add(-1) != 0 {
		return
	}
	if dereference.Load() {
		var nowhere *dictSource
		nowhere.entered = true
	}
	panic("asked for")
}
