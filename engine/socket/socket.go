//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Socket.

package socket

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Endpoint is what a channel reads from and writes to: a [Socket], a [FileWrapper], or another type that wraps
// one of them.
type Endpoint interface {
	// FD returns the descriptor to wait for, -1 after Close.
	FD() int

	// Recv receives into p and returns the number of bytes, and io.EOF at the end. It never blocks: if
	// there is nothing, it returns ErrWouldBlock or another error that wraps EAGAIN.
	Recv(p []byte) (int, error)

	// Send sends some of p and returns the number of bytes. It never blocks: if there is no room, it
	// returns ErrWouldBlock or another error that wraps EAGAIN.
	Send(p []byte) (int, error)

	// Close closes the descriptor. A second Close does nothing.
	Close() error
}

// Socket is a non-blocking, close-on-exec socket. Its errors are [ErrWouldBlock], io.EOF, and values of type
// *os.SyscallError. The Dispatcher of package engine has methods Recv, Send and Accept: call those.
type Socket struct {
	fd        int
	network   string
	listening bool
	datagrams bool
	peer      Addr // of an accepted one

	// Owner may be set by the owner of the socket; package engine sets it to the channel.
	Owner any
}

var _ Endpoint = (*Socket)(nil)

// New opens a socket. The networks are tcp, tcp4, tcp6, udp, udp4, udp6, unix and unixgram.
func New(network string) (*Socket, error) {
	family, kind, err := familyOf(network)
	if err != nil {
		return nil, err
	}
	fd, err := openSocket(family, kind)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return &Socket{fd: fd, network: network, datagrams: kind == unix.SOCK_DGRAM}, nil
}

// FD returns the descriptor, -1 after Close.
func (s *Socket) FD() int { return s.fd }

// Network returns the network, the argument of New.
func (s *Socket) Network() string { return s.network }

// Listening reports whether Listen was called.
func (s *Socket) Listening() bool { return s.listening }

// Datagrams reports whether the socket sends and receives datagrams.
func (s *Socket) Datagrams() bool { return s.datagrams }

// Recv receives into p, and returns io.EOF at the end of the stream. A datagram may be empty.
func (s *Socket) Recv(p []byte) (int, error) {
	n, err := recvNow(s.fd, p)
	switch err {
	case 0:
		if n == 0 && len(p) > 0 && !s.datagrams {
			return 0, io.EOF
		}
		return n, nil
	case unix.EAGAIN:
		return 0, ErrWouldBlock
	}
	return 0, os.NewSyscallError("recv", err)
}

// Send sends some of p.
func (s *Socket) Send(p []byte) (int, error) {
	n, err := sendNow(s.fd, p)
	switch err {
	case 0:
		return n, nil
	case unix.EAGAIN:
		return 0, ErrWouldBlock
	}
	return 0, os.NewSyscallError("send", err)
}

// RecvFrom receives a datagram into p. It returns the number of bytes and the address of the sender.
func (s *Socket) RecvFrom(p []byte) (int, Addr, error) {
	n, from, err := unix.Recvfrom(s.fd, p, unix.MSG_DONTWAIT)
	if err != nil {
		return 0, Addr{}, wouldBlock("recvfrom", err)
	}
	return n, addrOf(s.network, from), nil
}

// SendTo sends p as a datagram.
func (s *Socket) SendTo(p []byte, to Addr) error {
	sa, err := to.sockaddr()
	if err != nil {
		return err
	}
	return wouldBlock("sendto", unix.Sendto(s.fd, p, unix.MSG_DONTWAIT, sa))
}

// wouldBlock returns the error for that of a system call.
func wouldBlock(call string, err error) error {
	if err == unix.EAGAIN {
		return ErrWouldBlock
	}
	return os.NewSyscallError(call, err)
}

// Bind binds the socket to an address.
func (s *Socket) Bind(a Addr) error {
	sa, err := a.sockaddr()
	if err != nil {
		return err
	}
	return os.NewSyscallError("bind", unix.Bind(s.fd, sa))
}

// Listen makes the system queue up to backlog connections for Accept.
func (s *Socket) Listen(backlog int) error {
	if err := unix.Listen(s.fd, backlog); err != nil {
		return os.NewSyscallError("listen", err)
	}
	s.listening = true
	return nil
}

// Accept accepts a connection from the queue, and returns its address.
func (s *Socket) Accept() (*Socket, Addr, error) {
	fd, sa, err := acceptSocket(s.fd)
	if err != nil {
		return nil, Addr{}, wouldBlock("accept", err)
	}
	peer := addrOf(s.network, sa)
	return &Socket{fd: fd, network: s.network, peer: peer}, peer, nil
}

// Connect begins to connect. It returns an error that wraps EINPROGRESS if this has not ended yet.
func (s *Socket) Connect(a Addr) error {
	sa, err := a.sockaddr()
	if err != nil {
		return err
	}
	return os.NewSyscallError("connect", unix.Connect(s.fd, sa))
}

// SockError returns the pending error and clears it; nil if there is none.
func (s *Socket) SockError() error {
	pending, err := s.option(unix.SO_ERROR)
	if err != nil || pending == 0 {
		return err
	}
	return os.NewSyscallError("connect", unix.Errno(pending))
}

// LocalAddr returns the address of Bind, or the one that the system has chosen.
func (s *Socket) LocalAddr() (Addr, error) {
	sa, err := unix.Getsockname(s.fd)
	return addrOf(s.network, sa), os.NewSyscallError("getsockname", err)
}

// PeerAddr returns the address of the other end.
func (s *Socket) PeerAddr() (Addr, error) {
	if s.peer.IsValid() {
		return s.peer, nil
	}
	sa, err := unix.Getpeername(s.fd)
	return addrOf(s.network, sa), os.NewSyscallError("getpeername", err)
}

// CloseWrite ends the output: the other end receives io.EOF, and may still send.
func (s *Socket) CloseWrite() error {
	return os.NewSyscallError("shutdown", unix.Shutdown(s.fd, unix.SHUT_WR))
}

// Close closes the socket.
func (s *Socket) Close() error {
	fd := s.fd
	if fd < 0 {
		return nil
	}
	s.fd = -1
	return os.NewSyscallError("close", unix.Close(fd))
}
