//go:build engine_calls

// The same with the build tag engine_calls, which counts them.

package poller

import "sync/atomic"

var calls atomic.Int64

// Calls returns how many system calls were made.
func Calls() int64 { return calls.Load() }

func counted() { calls.Add(1) }
