//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// The pipe that ends a wait.

package poller

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// waker is the pipe with which other threads end a wait: the poller watches the field read, and they write to the
// field write. A program that closes all its descriptors may get these numbers for its own files. fstat
// distinguishes a pipe from those, but not an eventfd: that is why this is a pipe.
type waker struct {
	mu          sync.RWMutex // so that Wake does not write to a number that was closed
	read, write int          // -1 when there is none
	ended       bool         // by close or abandon
	ids         [2]identity
	seen        bool   // used by the waiting goroutine alone: a wake-up was consumed since the last call of Woken
	numbers     []byte // of signals, also
	renewals    int    // how often descriptors were opened in place of lost ones
}

// identity distinguishes open files.
type identity struct{ device, inode uint64 }

// identify returns the identity of fd's open file; the zero one if fd is closed.
func identify(fd int) identity {
	counted()
	var stat unix.Stat_t
	if fd < 0 || unix.Fstat(fd, &stat) != nil {
		return identity{}
	}
	return identity{uint64(stat.Dev), uint64(stat.Ino)}
}

// wakeUp is what Wake writes.
var wakeUp = []byte{0}

func openWaker() (*waker, error) {
	w := &waker{}
	if err := w.open(); err != nil {
		return nil, err
	}
	return w, nil
}

// open opens the pipe. Darwin has no pipe2, so Go's runtime must not fork until both ends are close-on-exec.
func (w *waker) open() error {
	w.read, w.write = -1, -1
	var ends [2]int
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := unix.Pipe(ends[:]); err != nil {
		return os.NewSyscallError("pipe", err)
	}
	var failure error
	for i, fd := range ends {
		unix.CloseOnExec(fd)
		ends[i] = moveHigh(fd)
		w.ids[i] = identify(ends[i])
		if err := unix.SetNonblock(ends[i], true); err != nil {
			failure = os.NewSyscallError("fcntl", err)
		}
	}
	w.read, w.write = ends[0], ends[1]
	if failure != nil {
		w.release()
	}
	return failure
}

// ownsRead reports whether the reading end is still the waker's.
func (w *waker) ownsRead() bool { return w.read >= 0 && identify(w.read) == w.ids[0] }

func (w *waker) ownsWrite() bool { return w.write >= 0 && identify(w.write) == w.ids[1] }

// renew opens another pipe, and closes those ends of the old one that are still the waker's.
func (w *waker) renew() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.release()
	w.renewals++
	return w.open()
}

// release closes the ends that are the waker's.
func (w *waker) release() {
	if w.ownsRead() {
		unix.Close(w.read)
	}
	if w.ownsWrite() {
		unix.Close(w.write)
	}
	w.read, w.write = -1, -1
}

// Wake writes to the pipe. A full pipe is not an error: a wake-up is pending then.
func (w *waker) Wake() error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.ended {
		return os.ErrClosed
	}
	if !w.ownsWrite() {
		return ErrLost
	}
	for {
		_, err := unix.Write(w.write, wakeUp)
		switch err {
		case unix.EINTR:
		case nil, unix.EAGAIN:
			return nil
		default:
			return os.NewSyscallError("write", err)
		}
	}
}

// WakeFD returns the descriptor to write to.
func (w *waker) WakeFD() int { return w.write }

// Drain consumes the pending bytes, and reports whether a signal's was among them. The pipe may hold more than one
// read returns; the rest ends another wait, which does no harm. The error wraps ErrLost if the descriptor is not the
// waker's any more, or if the other end is closed.
func (w *waker) Drain() (signalled bool, err error) {
	if !w.ownsRead() {
		return false, ErrLost
	}
	var buf [512]byte
	for {
		counted()
		n, err := unix.Read(w.read, buf[:])
		switch {
		case err == unix.EINTR:
			continue
		case err == nil && n == 0:
			return false, ErrLost
		}
		for _, b := range buf[:max(n, 0)] {
			if b == 0 {
				w.seen = true
			} else {
				signalled = true
				w.numbers = append(w.numbers, b)
			}
		}
		return signalled, nil
	}
}

// Woken reports whether a wake-up was consumed since the last call.
func (w *waker) Woken() bool {
	seen := w.seen
	w.seen = false
	return seen
}

func (w *waker) Signals() []byte {
	numbers := w.numbers
	w.numbers = w.numbers[:0]
	return numbers
}

// Renewed returns how often descriptors were opened in place of others.
func (w *waker) Renewed() int { return w.renewals }

// descriptors returns the waker's descriptors.
func (w *waker) descriptors() []int {
	if w.write < 0 {
		return nil
	}
	return []int{w.read, w.write}
}

func (w *waker) closed() bool { return w.ended }

// close closes the descriptors.
func (w *waker) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.release()
	w.ended = true
}

// abandon forgets the descriptors.
func (w *waker) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read, w.write, w.ended = -1, -1, true
}
