//go:build linux

// epoll: registration.

package poller

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/descriptor"
)

var mechanisms = []mechanism{{"epoll", openEpoll}, {"poll", openPoll}, {"select", openSelect}}

// epoll's bits are those of poll, so that nothing has to be translated.
var _ = [1]struct{}{}[unix.EPOLLIN^int(Read)|unix.EPOLLPRI^int(Priority)|unix.EPOLLOUT^int(Write)|
	unix.EPOLLERR^int(Error)|unix.EPOLLHUP^int(Hangup)]

// epollPoller keeps the registrations in an epoll set.
//
// The set contains open files, not descriptors: it drops an entry when the last descriptor of the file is closed. If
// another process has such a descriptor, the entry stays, and cannot be removed any more. So each entry has a
// generation. An event whose generation is not that of the current entry makes the poller build a new set.
type epollPoller struct {
	*waker
	set    int // the epoll descriptor, -1 when closed
	table  descriptor.Table[epollEntry]
	last   uint32  // the generation of the newest entry
	files  []int32 // refused with EPERM: always ready
	lost   []int32 // found closed when a new set was built; Wait reports them once
	events []unix.EpollEvent
	parker *parker // for long waits; nil where they block in epoll_wait too
}

type epollEntry struct {
	generation uint32
	want       uint8
	place      place
}

// place is where an entry is kept.
type place uint8

const (
	nowhere place = iota
	inKernel
	inFiles
	inLost
)

// wakeKey is the number in the waker's event.
const wakeKey = -1

var _ InKernel = (*epollPoller)(nil)

func openEpoll() (Poller, error) {
	w, err := openWaker()
	if err != nil {
		return nil, err
	}
	p := &epollPoller{waker: w, set: -1, events: make([]unix.EpollEvent, 16)}
	if err := p.create(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// create puts a new set, with the waker in it, in the place of the old one.
func (p *epollPoller) create() error {
	if !p.holds() {
		p.set = -1
	}
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == unix.EMFILE || err == unix.ENFILE {
		p.closeSet() // makes room for its successor, which may get its number: see Renewed
		set, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	}
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	set = moveHigh(set)
	p.closeSet()
	p.set = set
	p.renewals++
	if p.read < 0 {
		return nil
	}
	return os.NewSyscallError("epoll_ctl", p.controlWaker(unix.EPOLL_CTL_ADD))
}

func (p *epollPoller) controlWaker(op int) error {
	counted()
	wake := unix.EpollEvent{Events: unix.EPOLLIN, Fd: wakeKey}
	return unix.EpollCtl(p.set, op, p.read, &wake)
}

// holds reports whether the descriptor is still the poller's set: the waker is in it.
func (p *epollPoller) holds() bool {
	return p.set >= 0 && p.ownsRead() && p.controlWaker(unix.EPOLL_CTL_MOD) == nil
}

func (p *epollPoller) Verify() error {
	holds, intact := p.holds(), p.ownsWrite()
	switch {
	case holds && intact:
		return nil
	case !holds:
		p.set = -1
	}
	if !intact || !p.ownsRead() {
		p.closeSet()
		if err := p.renew(); err != nil {
			return err
		}
	}
	return p.rebuild()
}

// closeSet closes the set if it is the poller's.
func (p *epollPoller) closeSet() {
	p.parker.close()
	if p.holds() {
		unix.Close(p.set)
	}
	p.set = -1
}

func (p *epollPoller) Name() string { return "epoll" }
func (p *epollPoller) Len() int     { return p.table.Len() }

// entry returns fd's entry, nil if it is not registered.
func (p *epollPoller) entry(fd int) *epollEntry {
	if uint(fd) >= descriptor.Max {
		return nil
	}
	return p.table.At(int32(fd))
}

func (p *epollPoller) Add(fd int, want Events) error {
	if want == 0 {
		return p.Del(fd)
	}
	if p.closed() {
		return os.ErrClosed
	}
	if uint(fd) >= descriptor.Max {
		return descriptor.NotOpen("epoll_ctl")
	}
	p.table.Made(int32(fd))
	p.unlist(fd)
	return p.add(fd, want)
}

// add registers fd, which is in the table and in no list, in the kernel.
func (p *epollPoller) add(fd int, want Events) error {
	p.last++
	p.entry(fd).generation = p.last
	err := p.control(unix.EPOLL_CTL_ADD, fd, want)
	if err == unix.EEXIST {
		err = p.control(unix.EPOLL_CTL_MOD, fd, want)
	}
	return p.note(fd, want, err)
}

func (p *epollPoller) Set(fd int, want Events) error {
	e := p.entry(fd)
	if want == 0 || e == nil || e.place != inKernel {
		return p.Add(fd, want)
	}
	err := p.control(unix.EPOLL_CTL_MOD, fd, want)
	if err == unix.ENOENT {
		return p.add(fd, want)
	}
	return p.note(fd, want, err)
}

// note records the result of a registration.
func (p *epollPoller) note(fd int, want Events, err error) error {
	to := inKernel
	switch err {
	case nil:
	case unix.EPERM:
		to = inFiles
		p.files = append(p.files, int32(fd))
	default:
		to = nowhere
		p.table.Drop(int32(fd))
	}
	switch {
	case to != nowhere:
		e := p.entry(fd)
		e.place, e.want = to, uint8(want)
		return nil
	case err == unix.EINVAL, err == unix.EBADF && IsOpen(fd):
		return ErrLost // not fd but the set is closed, or its number refers to another file
	}
	return os.NewSyscallError("epoll_ctl", err)
}

func (p *epollPoller) Del(fd int) error {
	e := p.entry(fd)
	if e == nil {
		return nil
	}
	if e.place == inKernel {
		// Whether or not it fails, the set has no entry for this number afterwards. Mostly it does, because the file is
		// closed, and unix.EpollCtl would allocate an error.
		_, _, _ = unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.set), unix.EPOLL_CTL_DEL, uintptr(fd), 0, 0, 0)
	}
	p.unlist(fd)
	p.table.Drop(int32(fd))
	return nil
}

// unlist removes fd from the lists.
func (p *epollPoller) unlist(fd int) {
	switch p.entry(fd).place {
	case inFiles:
		p.files = descriptor.Without(p.files, int32(fd))
	case inLost:
		p.lost = descriptor.Without(p.lost, int32(fd))
	}
}

func (p *epollPoller) control(op, fd int, want Events) error {
	counted()
	event := unix.EpollEvent{Events: uint32(want), Fd: int32(fd), Pad: int32(p.entry(fd).generation)}
	return unix.EpollCtl(p.set, op, fd, &event)
}

func (p *epollPoller) HandOver() Poller {
	p.closeSet()
	p.renewals++
	return newPoll(p.waker)
}

func (p *epollPoller) Descriptor() int { return p.set }

func (p *epollPoller) Silent() bool { return len(p.files)+len(p.lost) > 0 }

func (p *epollPoller) FDs() []int {
	if p.closed() {
		return nil
	}
	return slices.Concat([]int{p.set}, p.descriptors())
}

func (p *epollPoller) Close() error {
	if !p.closed() {
		p.closeSet()
		p.close()
	}
	return nil
}

func (p *epollPoller) Abandon() {
	p.set = -1
	p.abandon()
}
