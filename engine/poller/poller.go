//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// The interface Poller.

package poller

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// Ready is a descriptor and what happened to it. 8 bytes; C has the same struct.
type Ready struct {
	FD     int32
	Events Events
}

// Poller waits for descriptors. It keeps its registrations from one wait to the next.
//
// One goroutine at a time may use it. Wake may be called, and WakeFD written to, from any and at any time.
type Poller interface {
	// Name returns the name for Open.
	Name() string

	// Add registers fd for want (Read, Write, Priority) from the next Wait on. It replaces what was
	// registered under the number before, whether or not that is the same open file. If fd is not
	// open, Add returns an error that wraps EBADF, or the next Wait reports Invalid.
	Add(fd int, want Events) error

	// Set changes what fd is registered for. It tells the kernel even if want is as before, so that
	// it finds out whether the number refers to another open file. An unknown fd is added; with a
	// want of 0, Set is Del.
	Set(fd int, want Events) error

	// Del removes the registration of fd. It is not an error if fd is closed or unknown.
	Del(fd int) error

	// Wait fills ready with descriptors that have one of the conditions wanted, or Error, Hangup or
	// Invalid, and returns how many: all of them if ready has room for Len, else some. It waits for
	// the first one until timeout has passed (rounded up to the unit of the system call), for ever if
	// timeout is negative. It may return early with none. If a signal ends the wait, or a byte other
	// than 0 that was written to WakeFD, it returns an error that wraps EINTR.
	Wait(ready []Ready, timeout time.Duration) (n int, err error)

	// Wake makes the current Wait, or else the next one, return at once.
	Wake() error

	// WakeFD returns a descriptor for callers that are not Go. Writing a byte to it ends the wait: 0 is
	// Wake; another one stands for a signal, and may be written by the signal's handler. The descriptor
	// belongs to the poller, and stays the same unless the program closes it.
	WakeFD() int

	// FDs returns the poller's own descriptors. The last two are the waker's: the one that is read, and
	// WakeFD.
	FDs() []int

	// Len returns how many descriptors are registered.
	Len() int

	// Verify opens other descriptors in place of those that are not the poller's any more: a program may
	// close all its descriptors, and get the numbers for its own files.
	Verify() error

	// Renewed rises when the poller has opened descriptors in the place of others. Their numbers may be the
	// same: whatever has registered such a descriptor elsewhere must register it again.
	Renewed() int

	// Woken reports whether a wake-up was consumed since the last call.
	Woken() bool

	// Drain consumes what was written to WakeFD, and reports whether a signal's byte was among it.
	Drain() (signalled bool, err error)

	// Signals returns the bytes other than 0 that were written to WakeFD since the last call. They are
	// valid until the next Wait.
	Signals() []byte

	// Close closes the poller's descriptors, and none of those registered. A second Close, and one after
	// Abandon, does nothing. From then on, the other methods return os.ErrClosed.
	Close() error

	// Abandon forgets the poller's descriptors without closing them, because they are closed already.
	Abandon()
}

// InKernel is a Poller whose registrations are in the kernel. A descriptor that the program closes disappears from
// it without notice, so its user has to look at the descriptors from time to time.
type InKernel interface {
	Poller

	// Descriptor returns a descriptor that is readable when Wait has something to report, or when the
	// poller was woken.
	Descriptor() int

	// Silent reports whether Wait has something to report that does not make the Descriptor readable.
	Silent() bool

	// HandOver ends the poller and returns one that uses poll(2), with the same WakeFD and nothing registered.
	HandOver() Poller
}

// millis is a timeout in the milliseconds that epoll_wait and poll take. It rounds up: rounded
// down, the last millisecond of a wait would be a busy loop.
func millis(timeout time.Duration) int {
	if timeout < 0 {
		return -1
	}
	if timeout > math.MaxInt32*time.Millisecond {
		return math.MaxInt32
	}
	return int((timeout + time.Millisecond - 1) / time.Millisecond)
}

// IsOpen reports whether fd is a descriptor of this process.
func IsOpen(fd int) bool {
	counted()
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

// Look is poll(2) without waiting: it fills in what is true of the descriptors now.
func Look(fds []unix.PollFd) {
	for {
		counted()
		if _, err := unix.Poll(fds, 0); err != unix.EINTR {
			return
		}
	}
}
