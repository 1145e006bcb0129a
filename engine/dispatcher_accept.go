//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Accepting connections; pauses when descriptors run out.

package engine

import (
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// When accepting fails, the channel stops accepting for a time that grows from the first to the second.
const (
	restAtFirst = 5 * time.Millisecond
	restAtMost  = time.Second
)

// Accept takes a connection from the queue. It returns [ErrWouldBlock] if there is none.
func (d *Dispatcher) Accept() (*Socket, Addr, error) {
	s, err := d.socket("accept")
	if err != nil {
		return nil, Addr{}, err
	}
	sock, from, err := s.Accept()
	if err == nil {
		if d.times != nil {
			d.times.rest = 0
			d.active()
		}
		return sock, from, nil
	}
	if err == ErrWouldBlock || errors.Is(err, unix.ECONNABORTED) {
		return nil, Addr{}, ErrWouldBlock
	}
	return nil, Addr{}, &net.OpError{Op: "accept", Net: s.Network(), Addr: d.addr, Err: err}
}

// acceptEvent accepts a connection. Whether or not this succeeds, the channel goes on listening: the
// failure of one client must not end the server.
func (d *Dispatcher) acceptEvent() error {
	if h, ok := d.handler.(AcceptHandler); ok {
		return d.acceptFailed(h.HandleAccept())
	}
	sock, from, err := d.Accept()
	if err != nil {
		return d.acceptFailed(err)
	}
	h, ok := d.handler.(AcceptedHandler)
	if !ok {
		d.log("warning", "nobody handles accepted connections: HandleAccepted is missing", nil)
		return sock.Close()
	}
	err = accepted(h, sock, from)
	if harmOf(err) == harmful && !errors.Is(err, ErrExitNow) {
		unwind(sock, d.m)
	}
	return d.acceptFailed(err)
}

// accepted calls HandleAccepted, and turns a panic into an error.
func accepted(h AcceptedHandler, sock *Socket, from Addr) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = caught(value)
		}
	}()
	return h.HandleAccepted(sock, from)
}

// unwind closes an accepted socket or, if a channel of the map m has it by now, that channel.
func unwind(s *Socket, m *Map) {
	owner, _ := s.Owner.(*Dispatcher)
	switch {
	case owner == nil || s.FD() < 0:
		_ = s.Close()
	case owner.m == m && owner.sock == s: // else it belongs to another goroutine
		_ = owner.guarded((*Dispatcher).handleClose)
		_ = owner.Close() // HandleClose need not
	}
}

// acceptFailed makes the channel stop accepting for a moment if there is no room for another connection, or
// if accepting would fail again at once: the loop would spin otherwise.
func (d *Dispatcher) acceptFailed(err error) error {
	var op *net.OpError
	if scarce(err) || errors.As(err, &op) && op.Op == "accept" {
		d.rest()
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// scarce reports whether err means that the process, or the machine, has no more descriptors or memory.
func scarce(err error) bool {
	for _, errno := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// rest stops accepting for a moment that grows.
func (d *Dispatcher) rest() {
	if d.resting || !d.accepting {
		return
	}
	if d.times == nil {
		d.times = &times{d: d}
	}
	d.times.rest = min(max(restAtFirst, 2*d.times.rest), restAtMost)
	d.resting = true
	d.changed()
	d.m.AfterFunc(d.times.rest, func() {
		d.resting = false
		d.changed()
	})
}
