//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package engine

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var mechanisms = []mechanism{{"kqueue", openKqueue}, {"poll", openPoll}, {"select", openSelect}}

// kqueuePoller keeps the registration in a kqueue: a filter for each of Read, Write and Priority.
//
// The queue knows descriptors: closing one takes its filters away, unseen, but nothing of it stays
// behind. What it says of the end of a stream is less than poll's hang-up and error, and more than
// readable; so where it sees an end, poll(2) is asked.
type kqueuePoller struct {
	*waker
	queue  int // the kqueue descriptor, -1 when closed
	table  table[kqueueEntry]
	files  []int32 // regular files: always ready; the queue knows them as ready up to their end
	events []unix.Kevent_t
}

type kqueueEntry struct {
	slot int32 // of this Wait's ready, from 1
	want uint8
	file bool
}

// filter is a kqueue filter and what it stands for.
type filter struct {
	event  Events
	filter int
	flags  uint32
}

var _ inKernelPoller = (*kqueuePoller)(nil)

func openKqueue() (Poller, error) {
	w, err := openWaker()
	if err != nil {
		return nil, err
	}
	p := &kqueuePoller{waker: w, queue: -1, events: make([]unix.Kevent_t, 16)}
	if err := p.create(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *kqueuePoller) create() error {
	syscall.ForkLock.RLock()
	queue, err := unix.Kqueue()
	if err == nil {
		unix.CloseOnExec(queue)
		queue = aside(queue)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return os.NewSyscallError("kqueue", err)
	}
	p.queue = queue
	p.renewals++
	if p.read < 0 {
		return nil
	}
	return os.NewSyscallError("kevent", p.control(p.read, filters[0], unix.EV_ADD))
}

// holds says whether the descriptor is the poller's queue: then the waker is in it.
func (p *kqueuePoller) holds() bool {
	return p.queue >= 0 && p.ownsRead() && p.control(p.read, filters[0], unix.EV_ENABLE) == nil
}

func (p *kqueuePoller) verify() error {
	holds := p.holds()
	if holds && p.ownsWrite() {
		return nil
	}
	p.closeQueue()
	if !p.ownsRead() || !p.ownsWrite() {
		if err := p.renew(); err != nil {
			return err
		}
	}
	if err := p.create(); err != nil {
		return err
	}
	var all []Ready // apart, because the table loses what cannot be registered
	for fd, e := range p.table.all() {
		all = append(all, Ready{fd, Events(e.want)})
	}
	p.table, p.files = table[kqueueEntry]{}, p.files[:0]
	for _, r := range all {
		if err := p.Set(int(r.FD), r.Events); err != nil && !errors.Is(err, unix.EBADF) {
			return err
		}
	}
	return nil
}

func (p *kqueuePoller) Name() string { return "kqueue" }
func (p *kqueuePoller) Len() int     { return p.table.count }

// entry is fd's, nil if it is not registered.
func (p *kqueuePoller) entry(fd int) *kqueueEntry {
	if uint(fd) >= maxFD {
		return nil
	}
	return p.table.at(int32(fd))
}

func (p *kqueuePoller) Add(fd int, want Events) error { return p.Set(fd, want) }

func (p *kqueuePoller) Set(fd int, want Events) error {
	if want == 0 {
		return p.Del(fd)
	}
	if p.closed() {
		return os.ErrClosed
	}
	if uint(fd) >= maxFD {
		return badFD("kevent")
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		p.Del(fd)
		return os.NewSyscallError("kevent", err)
	}
	file := stat.Mode&unix.S_IFMT == unix.S_IFREG
	if e := p.entry(fd); e != nil && e.file != file {
		p.Del(fd)
	}
	e := p.table.made(int32(fd))
	if file && !e.file {
		p.files = append(p.files, int32(fd))
	}
	e.file = file
	before := Events(e.want)
	e.want = uint8(want)
	if file {
		return nil
	}
	for _, f := range filters {
		switch {
		case want&f.event != 0:
			if err := p.control(fd, f, unix.EV_ADD); err != nil {
				p.Del(fd)
				return os.NewSyscallError("kevent", err)
			}
		case before&f.event != 0:
			p.control(fd, f, unix.EV_DELETE) // gone already if the descriptor was replaced
		}
	}
	return nil
}

func (p *kqueuePoller) Del(fd int) error {
	e := p.entry(fd)
	if e == nil {
		return nil
	}
	if e.file {
		p.files = without(p.files, int32(fd))
	} else {
		for _, f := range filters {
			if Events(e.want)&f.event != 0 {
				p.control(fd, f, unix.EV_DELETE) // gone already if the descriptor is closed
			}
		}
	}
	p.table.drop(int32(fd))
	return nil
}

func (p *kqueuePoller) control(fd int, f filter, op int) error {
	change := make([]unix.Kevent_t, 1)
	unix.SetKevent(&change[0], fd, f.filter, op)
	change[0].Fflags = f.flags
	for {
		counted()
		_, err := unix.Kevent(p.queue, change, nil, nil)
		if err != unix.EINTR {
			return err
		}
	}
}

func (p *kqueuePoller) Wait(ready []Ready, timeout time.Duration) (int, error) {
	if p.closed() {
		return 0, os.ErrClosed
	}
	if len(p.files) > 0 {
		timeout = 0
	}
	got, err := p.wait(len(filters)*min(len(ready), p.table.count)+1, timeout)
	if err != nil {
		return 0, err
	}
	n, signalled := 0, false
	for i := range p.events[:got] {
		event := &p.events[i]
		fd := int(event.Ident)
		e := p.entry(fd)
		if fd == p.read && e == nil {
			signalled, err = p.drain()
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
	if err != nil { // it is not its own any more
		return n, p.verify()
	}
	if signalled && n == 0 {
		return 0, errInterrupted
	}
	return n, nil
}

// conditions are what an event says of its descriptor, in poll's terms.
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

// wait is kevent for up to room events. The buffer grows when it was too small: then the second
// call tells all again, since nobody took anything in between.
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
			return 0, p.verify()
		case err != nil:
			return 0, os.NewSyscallError("kevent", err)
		case n < len(buf) || len(buf) == room:
			return n, nil
		}
		p.events = make([]unix.Kevent_t, min(2*len(p.events), room))
		timeout = 0
	}
}

func (p *kqueuePoller) handOver() *waker {
	p.closeQueue()
	p.renewals++
	return p.waker
}

func (p *kqueuePoller) closeQueue() {
	if p.holds() {
		unix.Close(p.queue)
	}
	p.queue = -1
}

func (p *kqueuePoller) descriptor() int { return p.queue }

func (p *kqueuePoller) silent() bool { return len(p.files) > 0 }

func (p *kqueuePoller) FDs() []int {
	if p.closed() {
		return nil
	}
	return slices.Concat([]int{p.queue}, p.descriptors())
}

func (p *kqueuePoller) Close() error {
	if !p.closed() {
		p.closeQueue()
		p.close()
	}
	return nil
}

func (p *kqueuePoller) Abandon() {
	p.queue = -1
	p.abandon()
}
