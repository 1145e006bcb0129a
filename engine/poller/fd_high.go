//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Large numbers for the pollers' own descriptors.

package poller

import "golang.org/x/sys/unix"

// highFrom is the smallest number of the pollers' own descriptors, if the limit allows. Below it, programs get the
// numbers that they would get without the engine. If one of our own got the number of a descriptor that was closed but
// is still in a map, it would hide that it is closed.
const highFrom = 960

// moveHigh gives one of our own descriptors a high number, close-on-exec, and returns it. If that fails, it returns
// the old number.
func moveHigh(fd int) int {
	moved, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, highFrom)
	if err != nil {
		return fd
	}
	unix.Close(fd)
	return moved
}
