//go:build engine_calls

package engine

import "sync/atomic"

// calls is how many system calls were made.
var calls atomic.Int64

func counted() { calls.Add(1) }
