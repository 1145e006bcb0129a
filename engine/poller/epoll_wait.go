//go:build linux

// epoll: waiting.

package poller

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func (p *epollPoller) Wait(ready []Ready, timeout time.Duration) (int, error) {
	if p.closed() {
		return 0, os.ErrClosed
	}
	if len(p.files)+len(p.lost) > 0 {
		timeout = 0
	}
	got, err := p.wait(min(len(ready), p.table.Len())+1, timeout)
	if err != nil {
		return 0, err
	}
	n, stale, signalled := 0, false, false
	for i := range p.events[:got] {
		event := &p.events[i]
		switch {
		case event.Fd == wakeKey:
			if signalled, err = p.Drain(); err != nil {
				stale = true
			}
		case !p.current(event):
			stale = true
		case n < len(ready):
			ready[n] = Ready{event.Fd, Events(event.Events)}
			n++
		}
	}
	for _, fd := range p.files[:min(len(p.files), len(ready)-n)] {
		ready[n] = Ready{fd, Events(p.entry(int(fd)).want) & (Read | Write)}
		n++
	}
	for n < len(ready) && len(p.lost) > 0 {
		fd := p.lost[0]
		p.Del(int(fd))
		ready[n] = Ready{fd, Invalid}
		n++
	}
	switch {
	case err != nil: // the waker's descriptor is not its own any more
		return n, p.Verify()
	case stale:
		return n, p.rebuild()
	case signalled && n == 0:
		return 0, errInterrupted
	}
	return n, nil
}

// wait is epoll_wait for up to room events. If the buffer was too small, it grows, and a second call returns
// everything: the first one has consumed nothing.
func (p *epollPoller) wait(room int, timeout time.Duration) (int, error) {
	for {
		buf := p.events[:min(room, len(p.events))]
		n, err := p.block(buf, timeout)
		switch {
		case err == unix.EINTR:
			return 0, errInterrupted
		case err == unix.EBADF || err == unix.EINVAL:
			p.set = -1 // the number is not the set's any more
			return 0, p.Verify()
		case err != 0:
			return 0, os.NewSyscallError("epoll_wait", err)
		case n < len(buf) || len(buf) == room:
			return n, nil
		}
		p.events = make([]unix.EpollEvent, min(2*len(p.events), room))
		timeout = 0
	}
}

// noPwait2 is set once the kernel (before 5.11) or a sandbox has refused epoll_pwait2.
var noPwait2 atomic.Bool

// epollWait is the system call. epoll_pwait is the one that every architecture has; epoll_pwait2 counts
// nanoseconds.
func epollWait(set int, buf []unix.EpollEvent, timeout time.Duration) (int, syscall.Errno) {
	counted()
	at, room := uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf))
	if timeout > 0 && timeout%time.Millisecond != 0 && !noPwait2.Load() {
		until := [2]int64{int64(timeout / time.Second), int64(timeout % time.Second)}
		n, _, err := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(set), at, room, uintptr(unsafe.Pointer(&until)), 0, 0)
		if err != unix.ENOSYS && err != unix.EPERM {
			return int(n), err
		}
		noPwait2.Store(true)
	}
	n, _, err := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(set), at, room, uintptr(millis(timeout)), 0, 0)
	return int(n), err
}

// current reports whether the event belongs to the current entry of its number.
func (p *epollPoller) current(event *unix.EpollEvent) bool {
	e := p.entry(int(event.Fd))
	return e != nil && e.place == inKernel && e.generation == uint32(event.Pad)
}

// lose makes the next Wait report that fd, which could not be registered, is closed.
func (p *epollPoller) lose(fd int) {
	p.table.Made(int32(fd)).place = inLost
	p.lost = append(p.lost, int32(fd))
}

// rebuild registers everything in a new set, except entries that no number refers to any more.
func (p *epollPoller) rebuild() error {
	if err := p.create(); err != nil {
		return err
	}
	var all []Ready // apart, because the table loses what cannot be registered
	for fd, e := range p.table.All() {
		if e.place == inKernel {
			all = append(all, Ready{fd, Events(e.want)})
		}
	}
	for _, r := range all {
		fd := int(r.FD)
		switch err := p.add(fd, r.Events); {
		case err == nil:
		case p.entry(fd) == nil && !IsOpen(fd):
			p.lose(fd)
		default:
			return err
		}
	}
	return nil
}
