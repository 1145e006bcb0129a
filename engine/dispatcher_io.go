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

// noSocket returns the error of an operation that needs a socket, on a channel that has none yet.
func noSocket(operation string) error {
	return fmt.Errorf("%s: the channel has no socket yet: %w", operation, unix.ENOTCONN)
}

// socket returns the channel's open socket, or an error that names the operation.
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

// Recv receives into p and returns the number of bytes. The error is
//
//   - [ErrWouldBlock] if there is nothing;
//   - io.EOF at the end of the stream, or the system's error if the connection is lost, after HandleClose
//     has been called;
//   - one that wraps net.ErrClosed after Close.
//
// A handler may return any of these: they do not cause a call of HandleError.
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

// Send sends some of p and returns the number of bytes. Its errors are those of Recv, except io.EOF. The
// error is [ErrWouldBlock] if there is no room.
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

// failed deals with the error of an endpoint, and returns the error for Recv or Send.
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

// Close removes the channel from its map and closes its endpoint. A second Close does nothing.
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
