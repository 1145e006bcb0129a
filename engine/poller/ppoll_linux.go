// poll(2) in nanoseconds.

package poller

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// pollFor is ppoll(2), which counts nanoseconds.
func pollFor(fds []unix.PollFd, timeout time.Duration) (int, error) {
	counted()
	var until *unix.Timespec
	if timeout >= 0 {
		ts := unix.NsecToTimespec(int64(min(timeout, math.MaxInt32*time.Millisecond)))
		until = &ts
	}
	return unix.Ppoll(fds, until, nil)
}
