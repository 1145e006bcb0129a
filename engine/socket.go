package engine

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Endpoint is what a channel reads and writes through: a [Socket], a [FileWrapper], or something
// that stands before one of them.
type Endpoint interface {
	// FD is the descriptor to wait for, -1 once the endpoint is closed.
	FD() int

	// Recv takes what there is into p and says how much; 0 is the end. It never waits: an error
	// wrapping EAGAIN says that there is nothing.
	Recv(p []byte) (int, error)

	// Send gives away some of p and says how much. It never waits: an error wrapping EAGAIN says
	// that there is no room.
	Send(p []byte) (int, error)

	// Close closes the descriptor. A second Close does nothing.
	Close() error
}

// pendingError is an Endpoint that keeps an error for whoever asks, as sockets do.
type pendingError interface {
	SockError() error
}

// Made beforehand, because they are no exception.
var (
	errRecvAgain = os.NewSyscallError("recv", unix.EAGAIN)
	errSendAgain = os.NewSyscallError("send", unix.EAGAIN)
)

// Socket is a non-blocking, close-on-exec socket. Its errors are of type *os.SyscallError.
type Socket struct {
	fd        int
	network   string
	listening bool
	peer      Addr // of an accepted one
}

var _ Endpoint = (*Socket)(nil)

// NewSocket opens a socket on the network: tcp or tcp4, tcp6, udp or udp4, udp6, unix, unixgram.
func NewSocket(network string) (*Socket, error) {
	family, kind, err := familyOf(network)
	if err != nil {
		return nil, err
	}
	fd, err := openSocket(family, kind)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return &Socket{fd: fd, network: network}, nil
}

// Adopt takes over a net.Conn, a net.Listener or a net.PacketConn of TCP, UDP or unix, or any
// other value with a SyscallConn method whose descriptor is a socket. The value is closed, and the
// connection goes on in the Socket, under another number. A unix listener's path stays; removing
// it is the caller's from then on. When Adopt fails, conn is as it was.
func Adopt(conn interface{ Close() error }) (*Socket, error) {
	open, ok := conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("adopt %T: %w", conn, unix.ENOTSOCK)
	}
	raw, err := open.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("adopt %T: %w", conn, err)
	}
	s := &Socket{fd: -1}
	var failure error
	err = raw.Control(func(fd uintptr) {
		if s.fd, failure = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); failure != nil {
			s.fd = -1
			failure = os.NewSyscallError("fcntl", failure)
		}
	})
	if err = errors.Join(err, failure); err == nil {
		err = s.identify()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("adopt %T: %w", conn, err), s.Close())
	}
	if unlinks, ok := conn.(interface{ SetUnlinkOnClose(bool) }); ok {
		unlinks.SetUnlinkOnClose(false)
	}
	conn.Close() // it held one of two descriptors: nothing that it answers changes the connection
	return s, nil
}

// identify asks a socket what it is, and makes it non-blocking.
func (s *Socket) identify() error {
	kind, err := s.option(unix.SO_TYPE)
	if err != nil {
		return err
	}
	local, err := unix.Getsockname(s.fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	names := map[int]string{unix.SOCK_STREAM: "tcp", unix.SOCK_DGRAM: "udp"}
	switch local.(type) {
	case *unix.SockaddrInet6:
		names = map[int]string{unix.SOCK_STREAM: "tcp6", unix.SOCK_DGRAM: "udp6"}
	case *unix.SockaddrUnix:
		names = map[int]string{unix.SOCK_STREAM: "unix", unix.SOCK_DGRAM: "unixgram"}
	}
	s.network = names[kind]
	if listening, err := s.option(unix.SO_ACCEPTCONN); err == nil {
		s.listening = listening != 0
	}
	return os.NewSyscallError("fcntl", unix.SetNonblock(s.fd, true))
}

// FD is the descriptor, -1 once the socket is closed.
func (s *Socket) FD() int { return s.fd }

// Network is what NewSocket took.
func (s *Socket) Network() string { return s.network }

// Recv receives into p; 0 is the end of the stream.
func (s *Socket) Recv(p []byte) (int, error) {
	n, err := recvNow(s.fd, p)
	switch err {
	case 0:
		return n, nil
	case unix.EAGAIN:
		return 0, errRecvAgain
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
		return 0, errSendAgain
	}
	return 0, os.NewSyscallError("send", err)
}

// RecvFrom receives a datagram into p, and says who sent it.
func (s *Socket) RecvFrom(p []byte) (int, Addr, error) {
	n, from, err := unix.Recvfrom(s.fd, p, unix.MSG_DONTWAIT)
	if err != nil {
		return 0, Addr{}, os.NewSyscallError("recvfrom", err)
	}
	return n, addrOf(s.network, from), nil
}

// SendTo sends p as a datagram.
func (s *Socket) SendTo(p []byte, to Addr) error {
	sa, err := to.sockaddr()
	if err != nil {
		return err
	}
	return os.NewSyscallError("sendto", unix.Sendto(s.fd, p, unix.MSG_DONTWAIT, sa))
}

// Bind gives the socket a name.
func (s *Socket) Bind(a Addr) error {
	sa, err := a.sockaddr()
	if err != nil {
		return err
	}
	return os.NewSyscallError("bind", unix.Bind(s.fd, sa))
}

// Listen queues up to backlog connections for Accept.
func (s *Socket) Listen(backlog int) error {
	if err := unix.Listen(s.fd, backlog); err != nil {
		return os.NewSyscallError("listen", err)
	}
	s.listening = true
	return nil
}

// Accept takes a connection from the queue.
func (s *Socket) Accept() (*Socket, Addr, error) {
	fd, sa, err := acceptSocket(s.fd)
	if err != nil {
		return nil, Addr{}, os.NewSyscallError("accept", err)
	}
	peer := addrOf(s.network, sa)
	return &Socket{fd: fd, network: s.network, peer: peer}, peer, nil
}

// Connect begins to connect. An error wrapping EINPROGRESS says that it goes on.
func (s *Socket) Connect(a Addr) error {
	sa, err := a.sockaddr()
	if err != nil {
		return err
	}
	return os.NewSyscallError("connect", unix.Connect(s.fd, sa))
}

// SockError takes the pending error, nil if there is none.
func (s *Socket) SockError() error {
	pending, err := s.option(unix.SO_ERROR)
	if err != nil || pending == 0 {
		return err
	}
	return os.NewSyscallError("connect", unix.Errno(pending))
}

// SetReuseAddr lets the address be bound again at once.
func (s *Socket) SetReuseAddr() error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
}

// SetNoDelay sends small pieces at once instead of gathering them; on TCP alone.
func (s *Socket) SetNoDelay() error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(s.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
}

// LocalAddr is the name that Bind gave, or the system.
func (s *Socket) LocalAddr() (Addr, error) {
	sa, err := unix.Getsockname(s.fd)
	return addrOf(s.network, sa), os.NewSyscallError("getsockname", err)
}

// PeerAddr is the name of the other end.
func (s *Socket) PeerAddr() (Addr, error) {
	if s.peer.IsValid() {
		return s.peer, nil
	}
	sa, err := unix.Getpeername(s.fd)
	return addrOf(s.network, sa), os.NewSyscallError("getpeername", err)
}

// Shutdown ends one direction, unix.SHUT_RD or unix.SHUT_WR, or both, unix.SHUT_RDWR.
func (s *Socket) Shutdown(how int) error {
	return os.NewSyscallError("shutdown", unix.Shutdown(s.fd, how))
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

func (s *Socket) option(name int) (int, error) {
	value, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, name)
	return value, os.NewSyscallError("getsockopt", err)
}
