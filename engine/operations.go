package engine

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// SetReuseAddr lets the address be bound again at once. Where that is refused, nothing happens.
func (d *Dispatcher) SetReuseAddr() error {
	if s := d.Socket(); s != nil {
		_ = s.SetReuseAddr() // for restarts; not worth a failure
	}
	return nil
}

// socket is the socket, or an error that names the call that needs one.
func (d *Dispatcher) socket(call string) (*Socket, error) {
	if s := d.Socket(); s != nil {
		return s, nil
	}
	return nil, os.NewSyscallError(call, unix.ENOTSOCK)
}

// Bind gives the socket an address. See [ParseAddr].
func (d *Dispatcher) Bind(address string) error {
	s, err := d.socket("bind")
	if err != nil {
		return err
	}
	if d.addr, err = ParseAddr(s.network, address); err != nil {
		return err
	}
	return s.Bind(d.addr)
}

// Listen accepts connections, with up to backlog of them in the queue.
func (d *Dispatcher) Listen(backlog int) error {
	s, err := d.socket("listen")
	if err != nil {
		return err
	}
	d.accepting = true
	d.changed()
	return s.Listen(backlog)
}

// Accept takes a connection from the queue. It answers nil if there is none (any more).
func (d *Dispatcher) Accept() (*Socket, Addr, error) {
	s, err := d.socket("accept")
	if err != nil {
		return nil, Addr{}, err
	}
	sock, from, err := s.Accept()
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ECONNABORTED) {
		err = nil
	}
	return sock, from, err
}

// Connect begins to connect. HandleConnect is called when that is done, HandleError when it fails.
func (d *Dispatcher) Connect(address string) error {
	s, err := d.socket("connect")
	if err != nil {
		return err
	}
	to, err := ParseAddr(s.network, address)
	if err != nil {
		return err
	}
	d.connected, d.connecting = false, true
	d.changed()
	err = s.Connect(to)
	var errno unix.Errno
	errors.As(err, &errno)
	switch errno {
	case unix.EINPROGRESS, unix.EALREADY, unix.EAGAIN, unix.EINTR:
		d.addr = to
		return nil
	case unix.EISCONN:
	default:
		if err != nil {
			return err
		}
	}
	d.addr = to
	return d.connectEvent()
}

// Send sends some of p and says how much; 0 when there is no room. A lost connection calls
// HandleClose and is 0 too.
func (d *Dispatcher) Send(p []byte) (int, error) {
	if d.sock == nil {
		return 0, os.NewSyscallError("send", unix.ENOTCONN)
	}
	n, err := d.sock.Send(p)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, unix.EAGAIN):
		return 0, nil
	case lost(err):
		return 0, d.handleClose()
	}
	return 0, err
}

// Recv receives into p and says how much. The end of the stream and a lost connection call
// HandleClose and are 0, without an error.
func (d *Dispatcher) Recv(p []byte) (int, error) {
	if d.sock == nil {
		return 0, os.NewSyscallError("recv", unix.ENOTCONN)
	}
	n, err := d.sock.Recv(p)
	if n > 0 {
		return n, nil
	}
	if err == nil || lost(err) {
		return 0, d.handleClose()
	}
	return 0, err
}

// Close takes the channel out of its map and closes its endpoint. A second Close does nothing.
func (d *Dispatcher) Close() error {
	d.connected, d.accepting, d.connecting = false, false, false
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
