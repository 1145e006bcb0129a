//go:build linux

package engine

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

const (
	few      = 24 // descriptors with which poll(2) takes hardly longer than epoll_wait
	fewAgain = 8  // at so many a set is given up again
)

// fewPoller keeps a few descriptors out of the epoll set, and waits for them with poll(2). A set
// pays off with many; a few, where connections come and go, are cheaper without: adding one to a set
// and the kernel's taking it out on close cost a twentieth of all that a short connection costs.
//
// The set is waited for as well: the waker is in it, and perhaps something that was left in it.
type fewPoller struct {
	*epollPoller
	many   bool          // everything is in the set
	pinned bool          // and stays there: somebody waits for the set's descriptor
	fds    []unix.PollFd // the set's descriptor, then the few
	index  []int32       // of a descriptor in fds, 0 when it is not there
}

var _ Poller = (*fewPoller)(nil)

func openFew() (Poller, error) {
	p, err := openEpoll()
	if err != nil {
		return nil, err
	}
	return &fewPoller{epollPoller: p.(*epollPoller), fds: make([]unix.PollFd, 1, 1+few)}, nil
}

func (p *fewPoller) Name() string { return "epoll" }

func (p *fewPoller) Len() int { return p.n + len(p.fds) - 1 }

func (p *fewPoller) Add(fd int, want Events) error {
	switch {
	case want == 0:
		return p.Del(fd)
	case p.many, p.closed(), uint(fd) >= maxFD:
		return p.epollPoller.Add(fd, want)
	}
	p.index = grown(p.index, fd)
	if i := p.index[fd]; i > 0 { // poll(2) takes what is under the number by then
		p.fds[i].Events = int16(want)
		return nil
	}
	if len(p.fds) > few {
		if err := p.fill(); err != nil {
			return err
		}
		return p.epollPoller.Add(fd, want)
	}
	p.append(fd, want)
	return nil
}

func (p *fewPoller) append(fd int, want Events) {
	p.index[fd] = int32(len(p.fds))
	p.fds = append(p.fds, unix.PollFd{Fd: int32(fd), Events: int16(want)})
}

func (p *fewPoller) Set(fd int, want Events) error {
	if p.many {
		return p.epollPoller.Set(fd, want)
	}
	return p.Add(fd, want)
}

func (p *fewPoller) Del(fd int) error {
	if !p.many {
		p.remove(fd)
		return nil
	}
	err := p.epollPoller.Del(fd)
	p.empty()
	return err
}

func (p *fewPoller) leave(fd int) {
	if !p.many {
		p.remove(fd)
		return
	}
	p.epollPoller.leave(fd)
	p.empty()
}

// remove takes fd out of the few.
func (p *fewPoller) remove(fd int) {
	if uint(fd) >= uint(len(p.index)) || p.index[fd] == 0 {
		return
	}
	i, last := p.index[fd], len(p.fds)-1
	p.fds[i] = p.fds[last]
	p.index[p.fds[i].Fd] = i
	p.index[fd] = 0
	p.fds = p.fds[:last]
}

// fill puts the few into the set.
func (p *fewPoller) fill() error {
	p.many = true
	for len(p.fds) > 1 {
		last := p.fds[len(p.fds)-1]
		fd := int(last.Fd)
		p.remove(fd)
		err := p.epollPoller.Add(fd, Events(uint16(last.Events)))
		if errors.Is(err, unix.EBADF) { // closed meanwhile; the next Wait says so
			p.table[fd].place = inLost
			p.lost = append(p.lost, int32(fd))
			p.n++
		} else if err != nil {
			return err
		}
	}
	return nil
}

// empty takes everything out of a set in which not many are left.
func (p *fewPoller) empty() {
	if p.n > fewAgain || p.pinned || p.closed() {
		return
	}
	p.many = false
	for fd := range p.table {
		if e := p.table[fd]; e.place.known() {
			p.epollPoller.Del(fd)
			p.index = grown(p.index, fd)
			p.append(fd, Events(e.want))
		}
	}
}

func (p *fewPoller) Wait(ready []Ready, timeout time.Duration) (int, error) {
	if p.many || p.closed() {
		return p.epollPoller.Wait(ready, timeout)
	}
	p.fds[0] = unix.PollFd{Fd: int32(p.set), Events: unix.POLLIN}
	if p.set < 0 {
		return 0, errLost
	}
	_, err := unix.Poll(p.fds, millis(timeout))
	if err == unix.EINTR {
		return 0, errInterrupted
	}
	if err != nil { // poll(2) takes no more than the process may have descriptors
		if err := p.fill(); err != nil {
			return 0, err
		}
		return p.epollPoller.Wait(ready, timeout)
	}
	n := 0
	for _, got := range p.fds[1:] {
		if got.Revents != 0 && n < len(ready) {
			ready[n] = Ready{got.Fd, Events(uint16(got.Revents))}
			n++
		}
	}
	if p.fds[0].Revents == 0 {
		return n, nil
	}
	_, err = p.epollPoller.Wait(nil, 0) // the waker's, and what was left
	if errors.Is(err, unix.EINTR) {
		err = nil
	}
	return n, err
}

// descriptor is the set's, with everything in it from now on.
func (p *fewPoller) descriptor() int {
	p.pinned = true
	if p.fill() != nil {
		return -1
	}
	return p.set
}

func (p *fewPoller) Close() error {
	p.fds = p.fds[:1]
	return p.epollPoller.Close()
}
