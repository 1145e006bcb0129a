//go:build unix

package engine

import (
	"encoding/binary"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// waker is the descriptor pair by which other goroutines end a wait: the poller watches read,
// they write to write. Both are the same one where there is an eventfd.
type waker struct {
	mu          sync.RWMutex // so that no Wake writes to a number that Close gave back
	read, write int
	seen        bool // the waiting goroutine's own: a wake-up was taken since woken was asked
}

// one is what a Wake writes: an eventfd takes numbers only.
var one = binary.NativeEndian.AppendUint64(nil, 1)

// Wake writes to the descriptor. That it is full is no error: then a wake-up is pending.
func (w *waker) Wake() error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.write < 0 {
		return os.ErrClosed
	}
	for {
		_, err := unix.Write(w.write, one)
		switch err {
		case unix.EINTR:
		case nil, unix.EAGAIN:
			return nil
		default:
			return os.NewSyscallError("write", err)
		}
	}
}

// WakeFD is the descriptor to write to.
func (w *waker) WakeFD() int { return w.write }

// drain takes the pending wake-ups. A pipe may hold more than one read takes; the rest ends
// another wait, which is harmless.
func (w *waker) drain() {
	w.seen = true
	var buf [512]byte
	for {
		if _, err := unix.Read(w.read, buf[:]); err != unix.EINTR {
			return
		}
	}
}

// woken says whether a wake-up was taken since the last call.
func (w *waker) woken() bool {
	seen := w.seen
	w.seen = false
	return seen
}

// descriptors are the numbers that it holds.
func (w *waker) descriptors() []int {
	switch {
	case w.write < 0:
		return nil
	case w.read == w.write:
		return []int{w.write}
	}
	return []int{w.read, w.write}
}

func (w *waker) closed() bool { return w.write < 0 }

// close gives the descriptors back.
func (w *waker) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, fd := range w.descriptors() {
		unix.Close(fd)
	}
	w.read, w.write = -1, -1
}

// abandon forgets the descriptors.
func (w *waker) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read, w.write = -1, -1
}
