//go:build linux

package engine

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	few      = 24 // descriptors with which poll(2) takes little longer than epoll_wait
	fewAgain = 20 // at so many a set is given up again, if connections come and go
	restless = 16 // so many waits more with new descriptors than without make it worth while
	mostSure = 64
)

// fewPoller does without the epoll set where a few connections come and go: adding each to the set and
// the kernel's taking it out on close is a twentieth of all that a short connection costs. Then it waits
// with poll(2). Where they stay, and where they are many, they are in the set.
type fewPoller struct {
	*epollPoller
	apart  bool          // the descriptors are not in the set
	pinned bool          // they have to be: somebody waits for the set's own descriptor
	added  bool          // a new one came since the last wait
	score  int           // of waits with a new one over waits without
	fds    []unix.PollFd // the waker's descriptor, then the few
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
	if want == 0 {
		return p.Del(fd)
	}
	if !p.apart || p.closed() || uint(fd) >= maxFD {
		p.added = true
		return p.epollPoller.Add(fd, want)
	}
	p.index = grown(p.index, fd)
	if i := p.index[fd]; i > 0 { // poll(2) takes what is under the number by then
		p.fds[i].Events = int16(want)
		return nil
	}
	p.added = true
	if len(p.fds) > few {
		p.score = 0 // else the set would be given up and filled in turns
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
	if !p.apart {
		return p.epollPoller.Set(fd, want)
	}
	return p.Add(fd, want)
}

func (p *fewPoller) Del(fd int) error {
	if !p.apart {
		return p.epollPoller.Del(fd)
	}
	p.remove(fd)
	return nil
}

func (p *fewPoller) leave(fd int) {
	if p.apart {
		p.remove(fd)
	} else {
		p.epollPoller.leave(fd)
	}
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
	p.apart = false
	for len(p.fds) > 1 {
		last := p.fds[len(p.fds)-1]
		fd := int(last.Fd)
		p.remove(fd)
		err := p.epollPoller.Add(fd, Events(uint16(last.Events)))
		if errors.Is(err, unix.EBADF) { // closed meanwhile; the next Wait says so
			p.lose(fd)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// empty takes everything out of the set.
func (p *fewPoller) empty() {
	p.apart = true
	for fd := range p.table {
		if e := p.table[fd]; e.place.known() {
			p.epollPoller.Del(fd)
			p.index = grown(p.index, fd)
			p.append(fd, Events(e.want))
		}
	}
}

// choose goes over to poll(2), or back, when that has paid off for a while.
func (p *fewPoller) choose() error {
	if p.added {
		p.added = false
		p.score = min(p.score+1, mostSure)
	} else if p.score > 0 {
		p.score--
	}
	switch {
	case p.apart && p.score == 0:
		return p.fill()
	case !p.apart && p.score >= restless && p.n <= fewAgain && !p.pinned:
		p.empty()
	}
	return nil
}

func (p *fewPoller) Wait(ready []Ready, timeout time.Duration) (int, error) {
	if p.closed() {
		return 0, os.ErrClosed
	}
	if err := p.choose(); err != nil {
		return 0, err
	}
	if !p.apart {
		return p.epollPoller.Wait(ready, timeout)
	}
	p.fds[0] = unix.PollFd{Fd: int32(p.read), Events: unix.POLLIN}
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
	switch wake := p.fds[0].Revents; {
	case wake&unix.POLLNVAL != 0: // somebody closed it, and the set perhaps: that finds out
		return n, p.fill()
	case wake != 0:
		p.drain()
	}
	return n, nil
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
