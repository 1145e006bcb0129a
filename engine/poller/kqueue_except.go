//go:build darwin || dragonfly || openbsd

// kqueue: priority data, where the kernel reports it.

package poller

import "golang.org/x/sys/unix"

var filters = []filter{
	{Read, unix.EVFILT_READ, 0},
	{Write, unix.EVFILT_WRITE, 0},
	{Priority, unix.EVFILT_EXCEPT, unix.NOTE_OOB},
}
