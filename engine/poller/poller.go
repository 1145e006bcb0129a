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

// Poller waits for descriptors. It keeps what was asked of it from one wait to the next.
//
// One goroutine at a time uses it; Wake and a write to WakeFD may come from any, at any time.
type Poller interface {
	// Name is the name that Open takes.
	Name() string

	// Add makes fd wait for want (Read, Write, Priority) from the next Wait on. Whatever was
	// registered under the number before is forgotten, be it the same open file or not. An fd
	// that is not open is an error wrapping EBADF here, or Invalid from the next Wait.
	Add(fd int, want Events) error

	// Set changes what fd waits for. It tells the kernel even when want is what it was, so that
	// an open file that came under the number unseen is found. An unknown fd is added; want 0 is
	// Del.
	Set(fd int, want Events) error

	// Del forgets fd. That fd is closed or unknown is no error.
	Del(fd int) error

	// Wait fills ready with descriptors that have one of the conditions wanted, or Error, Hangup
	// or Invalid, and says how many: all of them if ready has room for Len, some otherwise. It
	// waits for the first one until timeout has gone by (rounded up to what the call takes), for
	// ever if timeout is negative. It may come back early with none. A signal that ends it is an
	// error wrapping EINTR; so is a byte other than 0 that was written to WakeFD.
	Wait(ready []Ready, timeout time.Duration) (n int, err error)

	// Wake makes the Wait that is running, or else the next one, come back at once.
	Wake() error

	// WakeFD is a descriptor for callers that are not Go. Writing a byte to it ends the wait: 0 is
	// Wake; another one stands for a signal, and may be written by the signal's handler. It belongs
	// to the poller, and stays the same unless the program closes it.
	WakeFD() int

	// FDs are the descriptors that the poller itself holds. The last two are the waker's: the one that is
	// read, and WakeFD.
	FDs() []int

	// Len is how many descriptors are registered.
	Len() int

	// Verify opens other descriptors in place of those that are not the poller's any more: a program may
	// close all that it has, and then get the numbers for its own files.
	Verify() error

	// Renewed rises when the poller has opened descriptors in the place of others. Their numbers may be the
	// same: whatever has registered such a descriptor elsewhere must register it again.
	Renewed() int

	// Woken reports whether a wake-up was taken since the last call.
	Woken() bool

	// Drain takes what was written to WakeFD, and reports whether a signal's byte was among it.
	Drain() (signalled bool, err error)

	// Signals are the bytes other than 0 that were written to WakeFD since the last call; good until the
	// next Wait.
	Signals() []byte

	// Close closes the poller's descriptors, and none of those registered. A second Close, and
	// one after Abandon, does nothing. Everything else answers os.ErrClosed from then on.
	Close() error

	// Abandon forgets the poller's descriptors without closing them, because somebody else did.
	Abandon()
}

// InKernel is a Poller whose registration is in the kernel. What is closed behind its back drops out of it
// unseen, so whoever uses it has to look at its descriptors now and then.
type InKernel interface {
	Poller

	// Descriptor becomes readable when Wait has something to tell, or when the poller is woken.
	Descriptor() int

	// Silent reports whether Wait has something to tell of which the Descriptor says nothing.
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
