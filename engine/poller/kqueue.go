//go:build darwin || dragonfly || freebsd || netbsd || openbsd

// kqueue: registration.

package poller

import (
	"errors"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/descriptor"
)

var mechanisms = []mechanism{{"kqueue", openKqueue}, {"poll", openPoll}, {"select", openSelect}}

// kqueuePoller keeps the registrations in a kqueue: a filter for each of Read, Write and Priority.
//
// The queue contains descriptors: closing one removes its filters, without notice and completely. What the queue
// reports about the end of a stream does not distinguish poll's hang-up and error. So poll(2) is called when the
// queue reports an end.
type kqueuePoller struct {
	*waker
	queue  int // the kqueue descriptor, -1 when closed
	table  descriptor.Table[kqueueEntry]
	files  []int32 // regular files: always ready; for the queue, only up to their end
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

var _ InKernel = (*kqueuePoller)(nil)

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
		queue = moveHigh(queue)
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

// holds reports whether the descriptor is still the poller's queue: the waker is in it.
func (p *kqueuePoller) holds() bool {
	return p.queue >= 0 && p.ownsRead() && p.control(p.read, filters[0], unix.EV_ENABLE) == nil
}

func (p *kqueuePoller) Verify() error {
	holds := p.holds()
	if holds && p.ownsWrite() {
		return nil
	}
	p.closeQueue() // its successor may get its number: see Renewed
	if !p.ownsRead() || !p.ownsWrite() {
		if err := p.renew(); err != nil {
			return err
		}
	}
	if err := p.create(); err != nil {
		return err
	}
	var all []Ready // apart, because the table loses what cannot be registered
	for fd, e := range p.table.All() {
		all = append(all, Ready{fd, Events(e.want)})
	}
	p.table, p.files = descriptor.Table[kqueueEntry]{}, p.files[:0]
	for _, r := range all {
		if err := p.Set(int(r.FD), r.Events); err != nil && !errors.Is(err, unix.EBADF) {
			return err
		}
	}
	return nil
}

func (p *kqueuePoller) Name() string { return "kqueue" }
func (p *kqueuePoller) Len() int     { return p.table.Len() }

// entry returns fd's entry, nil if it is not registered.
func (p *kqueuePoller) entry(fd int) *kqueueEntry {
	if uint(fd) >= descriptor.Max {
		return nil
	}
	return p.table.At(int32(fd))
}

func (p *kqueuePoller) Add(fd int, want Events) error { return p.Set(fd, want) }

func (p *kqueuePoller) Set(fd int, want Events) error {
	if want == 0 {
		return p.Del(fd)
	}
	if p.closed() {
		return os.ErrClosed
	}
	if uint(fd) >= descriptor.Max {
		return descriptor.NotOpen("kevent")
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
	e := p.table.Made(int32(fd))
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
		p.files = descriptor.Without(p.files, int32(fd))
	} else {
		for _, f := range filters {
			if Events(e.want)&f.event != 0 {
				p.control(fd, f, unix.EV_DELETE) // gone already if the descriptor is closed
			}
		}
	}
	p.table.Drop(int32(fd))
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

func (p *kqueuePoller) HandOver() Poller {
	p.closeQueue()
	p.renewals++
	return newPoll(p.waker)
}

func (p *kqueuePoller) closeQueue() {
	if p.holds() {
		unix.Close(p.queue)
	}
	p.queue = -1
}

func (p *kqueuePoller) Descriptor() int { return p.queue }

func (p *kqueuePoller) Silent() bool { return len(p.files) > 0 }

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
