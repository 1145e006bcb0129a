//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Large numbers for the pollers' own descriptors.

package poller

import "golang.org/x/sys/unix"

// asideFrom is where the numbers of the pollers' own descriptors begin, if the limit allows: below it
// programs find the numbers they would find without us. Among them is the number of a descriptor
// that was closed but still stands in a map; our own under that number would hide it.
const highFrom = 960

// aside moves a descriptor of our own out of the way, close-on-exec, and returns its number; the old
// one where that fails.
func moveHigh(fd int) int {
	moved, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, highFrom)
	if err != nil {
		return fd
	}
	unix.Close(fd)
	return moved
}
