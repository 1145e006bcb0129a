//go:build darwin || dragonfly || freebsd || netbsd || openbsd

// poll(2) in milliseconds.

package poller

import (
	"time"

	"golang.org/x/sys/unix"
)

// pollFor is poll(2): not every platform has ppoll.
func pollFor(fds []unix.PollFd, timeout time.Duration) (int, error) {
	counted()
	return unix.Poll(fds, millis(timeout))
}
