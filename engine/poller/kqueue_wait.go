//go:build darwin || dragonfly || freebsd || netbsd || openbsd

// kqueue: waiting.

package poller

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func (p *kqueuePoller) Wait(ready []Ready, timeout time.Duration) (int, error) {
	if p.closed() {
		return 0, os.ErrClosed
	}
	if len(p.files) > 0 {
		timeout = 0
	}
	got, err := p.wait(len(filters)*min(len(ready), p.table.Len())+1, timeout)
	if err != nil {
		return 0, err
	}
	n, signalled := 0, false
	for i := range p.events[:got] {
		event := &p.events[i]
		fd := int(event.Ident)
		e := p.entry(fd)
		if fd == p.read && e == nil {
			signalled, err = p.Drain()
		}
		if e == nil {
			continue
		}
		if e.slot == 0 {
			if n == len(ready) {
				continue
			}
			ready[n] = Ready{FD: int32(fd)}
			n++
			e.slot = int32(n)
		}
		ready[e.slot-1].Events |= conditions(fd, e, event)
	}
	for _, r := range ready[:n] {
		p.entry(int(r.FD)).slot = 0
	}
	for _, fd := range p.files[:min(len(p.files), len(ready)-n)] {
		ready[n] = Ready{fd, Events(p.entry(int(fd)).want) & (Read | Write)}
		n++
	}
	if err != nil { // the waker's descriptor is not its own any more
		return n, p.Verify()
	}
	if signalled && n == 0 {
		return 0, errInterrupted
	}
	return n, nil
}

// conditions returns the conditions that an event reports, in poll's terms.
func conditions(fd int, e *kqueueEntry, event *unix.Kevent_t) (told Events) {
	for _, f := range filters {
		if int16(event.Filter) == int16(f.filter) {
			told = f.event
		}
	}
	if event.Flags&unix.EV_EOF != 0 {
		exact := []unix.PollFd{{Fd: int32(fd), Events: int16(e.want)}}
		if n, _ := unix.Poll(exact, 0); n == 1 {
			told |= Events(uint16(exact[0].Revents))
		}
	}
	return told
}

// wait is kevent for up to room events. If the buffer was too small, it grows, and a second call returns everything:
// the first one has consumed nothing.
func (p *kqueuePoller) wait(room int, timeout time.Duration) (int, error) {
	for {
		var until *unix.Timespec
		if timeout >= 0 {
			ts := unix.NsecToTimespec(int64(timeout))
			until = &ts
		}
		buf := p.events[:min(room, len(p.events))]
		counted()
		n, err := unix.Kevent(p.queue, nil, buf, until)
		switch {
		case err == unix.EINTR:
			return 0, errInterrupted
		case err == unix.EBADF:
			p.queue = -1 // the number is not the queue's any more
			return 0, p.Verify()
		case err != nil:
			return 0, os.NewSyscallError("kevent", err)
		case n < len(buf) || len(buf) == room:
			return n, nil
		}
		p.events = make([]unix.Kevent_t, min(2*len(p.events), room))
		timeout = 0
	}
}
