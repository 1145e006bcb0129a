// Package clock has the time as the engine counts it: since some moment, and never backwards.
package clock

import (
	"math"
	"time"
)

// Never is the time that does not come.
const Never time.Duration = math.MaxInt64

var began = time.Now()

// Now is the time; a third cheaper than time.Now.
func Now() time.Duration { return time.Since(began) }

// After is when a wait that begins now has taken so long; a negative wait ends never.
func After(now, wait time.Duration) time.Duration {
	if wait < 0 || wait >= Never-now {
		return Never
	}
	return now + wait
}
