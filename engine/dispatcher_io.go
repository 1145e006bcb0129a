//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Recv, Send, Connect, Close.

package engine

import (
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// noSocket is the error of an operation that needs a socket, on a channel that has none yet.
func noSocket(operation string) error {
	return fmt.Errorf("%s: the channel has no socket yet: %w", operation, unix.ENOTCONN)
}

// socket is the channel's open socket, or an error that says which operation needs one.
func (d *Dispatcher) socket(operation string) (*Socket, error) {
	if err := d.usable(); err != nil {
		return nil, err
	}
	s := d.Socket()
	switch {
	case d.sock == nil:
		return nil, noSocket(operation)
	case s == nil:
		return nil, fmt.Errorf("%s: the channel's %T is not a socket: %w", operation, d.sock, unix.ENOTSOCK)
	case s.FD() < 0:
		return nil, fmt.Errorf("%s: %w", operation, net.ErrClosed)
	}
	return s, nil
}

// Recv receives into p and returns how much. The error is
//
//   - [ErrWouldBlock] if there is nothing;
//   - io.EOF at the end of the stream, and the system's error if the connection is lost, in both cases
//     after HandleClose has been called;
//   - one that wraps net.ErrClosed after Close.
//
// A handler may return each of these: the loop does not pass them to HandleError.
func (d *Dispatcher) Recv(p []byte) (int, error) {
	if d.sock == nil {
		return 0, noSocket("recv")
	}
	n, err := d.sock.Recv(p)
	if n > 0 {
		if d.times != nil {
			d.active()
		}
		return n, nil
	}
	if err == nil {
		return 0, nil
	}
	return 0, d.failed("recv", err)
}

// Send sends some of p and returns how much. Its errors are those of Recv, io.EOF excepted;
// [ErrWouldBlock] says that there is no room.
func (d *Dispatcher) Send(p []byte) (int, error) {
	if d.sock == nil {
		return 0, noSocket("send")
	}
	n, err := d.sock.Send(p)
	if err == nil {
		if d.times != nil && n > 0 {
			d.active()
		}
		return n, nil
	}
	return 0, d.failed("send", err)
}

// failed deals with the error of an endpoint, and is what Recv or Send return.
func (d *Dispatcher) failed(operation string, err error) error {
	switch {
	case err == ErrWouldBlock || errors.Is(err, unix.EAGAIN):
		return ErrWouldBlock
	case d.connecting && !d.connected && errors.Is(err, unix.ENOTCONN):
		return ErrWouldBlock // what some systems say of a connection that is under way
	case d.sock.FD() < 0:
		return &endedError{fmt.Errorf("%s: %w", operation, net.ErrClosed)}
	case err != io.EOF && !lost(err):
		return err
	}
	d.ended = true
	if err != io.EOF {
		err = &endedError{err}
	}
	if failed := d.handleClose(); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

// Close takes the channel out of its map and closes its endpoint. A second Close does nothing.
func (d *Dispatcher) Close() error {
	d.connected, d.accepting, d.connecting = false, false, false
	d.ended = true
	d.DelChannel()
	if d.sock == nil {
		return nil
	}
	err := d.sock.Close()
	if errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.EBADF) {
		return nil
	}
	return err
}
