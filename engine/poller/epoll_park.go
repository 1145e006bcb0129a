//go:build linux

// epoll: waiting for long, with the goroutine parked.

package poller

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/clock"
)

// brief is how long a wait blocks in the kernel before its goroutine is parked. After a system call that blocks, Go's
// monitor thread wakes up every 20 µs until it takes the processor away, 10 ms later. With a message every 20 ms this
// is most of the CPU time: without parking, a message costs 4.3 times as much [3.7-6.2] (bench/go, case sparse, 16
// interleaved rounds). With 100 and 500 active connections there is no difference (0.995 and 0.991).
const brief = 100 * time.Microsecond

// parker waits for an epoll set in the poller of Go's own runtime, as package net does for its connections: the set's
// descriptor is readable when the set has an event. This costs some microseconds more than blocking in epoll_wait,
// so it is done only in long waits: those that follow a long wait, and those that have lasted for a brief time.
type parker struct {
	file   *os.File // a duplicate of the set's descriptor; nil: the next long wait opens it
	raw    syscall.RawConn
	try    func(uintptr) bool // made once
	refuse bool               // Go's runtime cannot wait for it
	long   bool               // the wait before was a long one
	until  time.Duration      // the deadline of file, 0 if it has none

	// The arguments of try, and its results.
	set  int
	room []unix.EpollEvent
	n    int
	err  syscall.Errno
}

// park makes a parker do the long waits. The loops of Python must not park, because their goroutine runs on a thread
// of the program, whose wait signals have to interrupt.
//
// The file is opened now, not in the first long wait: Go's runtime opens descriptors of its own for it, and ends the
// process if it cannot.
func (p *epollPoller) park() {
	p.parker = &parker{}
	p.parker.refuse = !hasRoom(p.set) || !p.parker.open(p.set)
}

// hasRoom reports whether the process may open three descriptors: two that Go's runtime needs for its poller, and
// one for a parker.
func hasRoom(set int) bool {
	var tried []int
	for range 3 {
		fd, err := unix.FcntlInt(uintptr(set), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			break
		}
		tried = append(tried, fd)
	}
	for _, fd := range tried {
		_ = unix.Close(fd)
	}
	return len(tried) == 3
}

// block is epollWait, or its equivalent for a long wait.
func (p *epollPoller) block(room []unix.EpollEvent, timeout time.Duration) (int, syscall.Errno) {
	k := p.parker
	if k == nil || k.refuse || timeout >= 0 && timeout <= brief {
		return epollWait(p.set, room, timeout)
	}
	if !k.long {
		n, err := epollWait(p.set, room, brief)
		if n > 0 || err != 0 {
			return n, err
		}
		k.long = true
		if timeout > 0 {
			timeout -= brief
		}
	}
	if k.file == nil && !k.open(p.set) {
		k.refuse = true
		return epollWait(p.set, room, timeout)
	}
	return k.wait(p.set, room, timeout)
}

func (k *parker) open(set int) bool {
	duplicate, err := unix.FcntlInt(uintptr(set), unix.F_DUPFD_CLOEXEC, highFrom)
	if err != nil {
		duplicate, err = unix.FcntlInt(uintptr(set), unix.F_DUPFD_CLOEXEC, 0)
	}
	if err != nil {
		return false
	}
	_ = unix.SetNonblock(duplicate, true) // tells os.NewFile that it can be waited for; else wait fails
	k.file = os.NewFile(uintptr(duplicate), "epoll")
	if k.raw, err = k.file.SyscallConn(); err != nil {
		k.close()
		return false
	}
	k.try = func(uintptr) bool {
		k.n, k.err = epollWait(k.set, k.room, 0)
		return k.n > 0 || k.err != 0
	}
	return true
}

// wait parks the goroutine until the set has an event. It may return early.
func (k *parker) wait(set int, room []unix.EpollEvent, timeout time.Duration) (int, syscall.Errno) {
	began := clock.Now()
	k.limit(began, timeout)
	k.set, k.room, k.n, k.err = set, room, 0, 0
	err := k.raw.Read(k.try)
	k.room = nil
	k.long = clock.Now()-began >= brief
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		k.close()
		k.refuse = true
	}
	return k.n, k.err
}

// limit sets the deadline, unless an earlier one is set: a wait may return early, and so the deadline is moved only
// once for many waits.
func (k *parker) limit(now, timeout time.Duration) {
	end := clock.After(now, timeout)
	switch {
	case end == clock.Never && k.until != 0:
		k.until = 0
		_ = k.file.SetReadDeadline(time.Time{})
	case end != clock.Never && (k.until <= now || k.until > end):
		k.until = end
		_ = k.file.SetReadDeadline(time.Now().Add(timeout))
	}
}

// close closes the duplicate. The next long wait opens another one.
func (k *parker) close() {
	if k != nil && k.file != nil {
		_ = k.file.Close()
		k.file, k.raw, k.until = nil, nil, 0
	}
}
