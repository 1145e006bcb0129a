//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// poll(2).

package poller

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/descriptor"
)

// pollPoller hands poll(2) the whole list in each wait. What it costs grows with the number
// registered, but it takes every kind of descriptor and misses no closed one.
type pollPoller struct {
	*waker
	fds   []unix.PollFd           // the waker is the first
	index descriptor.Table[int32] // a descriptor's place in fds
}

var _ Poller = (*pollPoller)(nil)

func openPoll() (Poller, error) {
	w, err := openWaker()
	if err != nil {
		return nil, err
	}
	return newPoll(w), nil
}

// newPoll returns a poll poller that uses the waker and owns it.
func newPoll(w *waker) *pollPoller {
	return &pollPoller{waker: w, fds: []unix.PollFd{{Fd: int32(w.read), Events: unix.POLLIN}}}
}

func (p *pollPoller) Name() string { return "poll" }
func (p *pollPoller) Len() int     { return len(p.fds) - 1 }

func (p *pollPoller) Add(fd int, want Events) error { return p.Set(fd, want) }

func (p *pollPoller) Set(fd int, want Events) error {
	if want == 0 {
		return p.Del(fd)
	}
	if p.closed() {
		return os.ErrClosed
	}
	if uint(fd) >= descriptor.Max {
		return descriptor.NotOpen("poll")
	}
	i := p.index.Made(int32(fd))
	if *i == 0 {
		*i = int32(len(p.fds))
		p.fds = append(p.fds, unix.PollFd{Fd: int32(fd)})
	}
	p.fds[*i].Events = int16(want)
	return nil
}

func (p *pollPoller) Del(fd int) error {
	if uint(fd) >= descriptor.Max || p.index.At(int32(fd)) == nil {
		return nil
	}
	i, last := *p.index.At(int32(fd)), len(p.fds)-1
	p.fds[i] = p.fds[last]
	*p.index.At(p.fds[i].Fd) = i
	p.index.Drop(int32(fd))
	p.fds = p.fds[:last]
	return nil
}

// Verify may find no descriptor for another pipe: the poller then continues without one.
func (p *pollPoller) Verify() error {
	if !p.ownsRead() || !p.ownsWrite() {
		_ = p.renew()
		p.fds[0].Fd = int32(p.read)
	}
	return nil
}

func (p *pollPoller) Wait(ready []Ready, timeout time.Duration) (int, error) {
	if p.closed() {
		return 0, os.ErrClosed
	}
	left, err := pollFor(p.fds, timeout)
	if err == unix.EINTR {
		return 0, errInterrupted
	}
	if err != nil {
		return 0, os.NewSyscallError("poll", err)
	}
	signalled := false
	if p.fds[0].Revents != 0 {
		left--
		if signalled, err = p.Drain(); err != nil {
			_ = p.Verify()
		}
	}
	n := 0
	for i := 1; left > 0 && i < len(p.fds) && n < len(ready); i++ {
		if got := p.fds[i].Revents; got != 0 {
			ready[n] = Ready{p.fds[i].Fd, Events(uint16(got))}
			n++
			left--
		}
	}
	if signalled && n == 0 {
		return 0, errInterrupted
	}
	return n, nil
}

func (p *pollPoller) FDs() []int { return p.descriptors() }

func (p *pollPoller) Close() error {
	p.close()
	return nil
}

func (p *pollPoller) Abandon() { p.abandon() }
