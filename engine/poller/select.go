//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// select(2), where there is nothing else.

package poller

import (
	"math/bits"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/descriptor"
)

// selectPoller is used where there is no other poller. Its sets are as long as the numbers require: Linux accepts
// any length, other systems only FD_SETSIZE.
type selectPoller struct {
	*waker
	want  [3]fdSet // for reading, for writing, for priority data
	got   [3]fdSet
	fds   fdSet // all that are registered
	n     int
	limit int // above the highest number
}

// fdSet is select(2)'s fd_set, of any length.
type fdSet []uintptr

const wordBits = bits.UintSize

// selectEvents are the events of a descriptor in each of the sets.
var selectEvents = [3]Events{Read, Write, Priority}

var _ Poller = (*selectPoller)(nil)

func openSelect() (Poller, error) {
	w, err := openWaker()
	if err != nil {
		return nil, err
	}
	p := &selectPoller{waker: w}
	p.reserve(max(w.read, int(unsafe.Sizeof(unix.FdSet{}))*8-1)) // never shorter than an fd_set
	return p, nil
}

// reserve gives the sets room for fd.
func (p *selectPoller) reserve(fd int) {
	word := fd / wordBits
	for i := range p.want {
		p.want[i] = descriptor.Grown(p.want[i], word)
		p.got[i] = descriptor.Grown(p.got[i], word)
	}
	p.fds = descriptor.Grown(p.fds, word)
	p.limit = max(p.limit, fd+1)
}

func (s fdSet) put(fd int, in bool) {
	if in {
		s[fd/wordBits] |= 1 << (fd % wordBits)
	} else {
		s[fd/wordBits] &^= 1 << (fd % wordBits)
	}
}

func (s fdSet) has(fd int) bool { return s[fd/wordBits]>>(fd%wordBits)&1 != 0 }

func (p *selectPoller) Name() string { return "select" }
func (p *selectPoller) Len() int     { return p.n }

func (p *selectPoller) Add(fd int, want Events) error { return p.Set(fd, want) }

func (p *selectPoller) Set(fd int, want Events) error {
	if want == 0 {
		return p.Del(fd)
	}
	if p.closed() {
		return os.ErrClosed
	}
	// Checked here, because Linux ignores closed ones above the highest that was ever open.
	if uint(fd) >= descriptor.Max || !IsOpen(fd) {
		p.Del(fd)
		return descriptor.NotOpen("select")
	}
	p.reserve(fd)
	if !p.fds.has(fd) {
		p.fds.put(fd, true)
		p.n++
	}
	for i, event := range selectEvents {
		p.want[i].put(fd, want&event != 0)
	}
	return nil
}

func (p *selectPoller) Del(fd int) error {
	if uint(fd) >= uint(p.limit) || !p.fds.has(fd) {
		return nil
	}
	p.fds.put(fd, false)
	for i := range p.want {
		p.want[i].put(fd, false)
	}
	p.n--
	return nil
}

func (p *selectPoller) Wait(ready []Ready, timeout time.Duration) (int, error) {
	if p.closed() {
		return 0, os.ErrClosed
	}
	words := (p.limit + wordBits - 1) / wordBits
	for i := range p.got {
		copy(p.got[i][:words], p.want[i])
	}
	if p.read >= 0 {
		p.got[0].put(p.read, true)
	}
	left, err := p.call(timeout)
	switch {
	case err == unix.EINTR:
		return 0, errInterrupted
	case err == unix.EBADF:
		_ = p.Verify()
		return p.blame(ready), nil
	case err != nil:
		return 0, os.NewSyscallError("select", err)
	case left == 0:
		return 0, nil
	}
	signalled := false
	if p.read >= 0 && p.got[0].has(p.read) && !p.fds.has(p.read) {
		p.got[0].put(p.read, false)
		if signalled, err = p.Drain(); err != nil {
			_ = p.Verify()
		}
	}
	n := 0
	for word := range words {
		set := p.got[0][word] | p.got[1][word] | p.got[2][word]
		for ; set != 0 && n < len(ready); set &= set - 1 {
			fd := word*wordBits + bits.TrailingZeros(uint(set))
			ready[n] = Ready{FD: int32(fd)}
			for i, event := range selectEvents {
				if p.got[i].has(fd) {
					ready[n].Events |= event
				}
			}
			n++
		}
	}
	if signalled && n == 0 {
		return 0, errInterrupted
	}
	return n, nil
}

// Verify may find no descriptor for another pipe: the poller then continues without one.
func (p *selectPoller) Verify() error {
	if !p.ownsRead() || !p.ownsWrite() {
		if p.renew() == nil {
			p.reserve(p.read)
		}
	}
	return nil
}

// call is select(2), with the sets in got.
func (p *selectPoller) call(timeout time.Duration) (int, error) {
	var until *unix.Timeval
	if timeout >= 0 {
		// Rounded up to the microseconds of a timeval.
		tv := unix.NsecToTimeval(int64(timeout.Truncate(time.Microsecond)))
		if timeout%time.Microsecond != 0 {
			tv = unix.NsecToTimeval(int64(timeout.Truncate(time.Microsecond) + time.Microsecond))
		}
		until = &tv
	}
	counted()
	return unix.Select(p.limit, p.got[0].raw(), p.got[1].raw(), p.got[2].raw(), until)
}

func (s fdSet) raw() *unix.FdSet { return (*unix.FdSet)(unsafe.Pointer(&s[0])) }

// blame finds the closed descriptors because of which select has failed.
func (p *selectPoller) blame(ready []Ready) int {
	n := 0
	for word, set := range p.fds {
		for ; set != 0 && n < len(ready); set &= set - 1 {
			fd := word*wordBits + bits.TrailingZeros(uint(set))
			if !IsOpen(fd) {
				ready[n] = Ready{int32(fd), Invalid}
				n++
			}
		}
	}
	return n
}

func (p *selectPoller) FDs() []int { return p.descriptors() }

func (p *selectPoller) Close() error {
	p.close()
	return nil
}

func (p *selectPoller) Abandon() { p.abandon() }
