//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package engine

import (
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Ready is a descriptor and what happened to it. 8 bytes; C has the same struct.
type Ready struct {
	FD     int32
	Events Events
}

// maxFD bounds the tables indexed by descriptor. Linux's default for the largest number of
// descriptors a process may ask for is a quarter of it.
const maxFD = 1 << 22

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

	// Close closes the poller's descriptors, and none of those registered. A second Close, and
	// one after Abandon, does nothing. Everything else answers os.ErrClosed from then on.
	Close() error

	// Abandon forgets the poller's descriptors without closing them, because somebody else did.
	Abandon()
}

// ownPoller is a Poller of this package.
type ownPoller interface {
	Poller

	// verify opens other descriptors in place of those that are not the poller's any more: a program may
	// close all that it has, and then get the numbers for its own files.
	verify() error

	// renewed rises when the poller's descriptors have got other numbers.
	renewed() int

	// woken says whether a wake-up was taken since the last call.
	woken() bool

	// drain takes what was written to WakeFD.
	drain() (signalled bool, err error)

	// signals are the bytes other than 0 that were written to WakeFD, since the last call; good until the
	// next Wait.
	signals() []byte
}

// inKernelPoller is one whose registration is in the kernel. What is closed behind its back drops out of it
// unseen, so it needs audits.
type inKernelPoller interface {
	ownPoller

	// handOver ends the poller and gives its waker to the one that takes its place.
	handOver() *waker

	// descriptor becomes readable when Wait has something to tell, or when the poller is woken.
	descriptor() int

	// silent says whether Wait has something to tell of which the descriptor says nothing.
	silent() bool
}

// mechanism is a poller of the platform.
type mechanism struct {
	name string
	open func() (Poller, error)
}

// Open opens the poller of that name. The name "" stands for the best one that works here: a
// sandbox may forbid some.
func Open(name string) (Poller, error) {
	var failure error
	for _, m := range mechanisms {
		if name != "" && name != m.name {
			continue
		}
		p, err := m.open()
		if err == nil {
			return p, nil
		}
		failure = err
	}
	if failure == nil {
		failure = fmt.Errorf("%w: %q", ErrUnknownPoller, name)
	}
	return nil, failure
}

// Pollers are the names that Open takes on this platform, best first.
func Pollers() []string {
	names := make([]string, len(mechanisms))
	for i, m := range mechanisms {
		names[i] = m.name
	}
	return names
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

// grown gives table room for the index fd, and reserve for those that are likely to follow.
func grown[E any](table []E, fd int) []E {
	if fd < len(table) {
		return table
	}
	size := max(8, min(2*len(table), len(table)+4096), fd+1)
	bigger := make([]E, size)
	copy(bigger, table)
	return bigger
}

// without takes fd out of a list that holds it at most once.
func without(list []int32, fd int32) []int32 {
	if i := slices.Index(list, fd); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// isOpen says whether fd is a descriptor of this process.
func isOpen(fd int) bool {
	counted()
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}
