//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Adopt and Conn: from and to package net.

package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Adopt takes over a net.Conn, a net.Listener or a net.PacketConn of TCP, UDP or unix, or any
// other value with a SyscallConn method whose descriptor is a socket. The value is closed, and the connection
// continues in the Socket, with another descriptor. The path of a unix listener is not removed; that is
// left to the caller. If Adopt fails, conn is unchanged.
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
	conn.Close() // one of two descriptors: its error does not concern the connection
	return s, nil
}

// identify finds out what kind of socket it is, and makes it non-blocking.
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
	s.network, s.datagrams = names[kind], kind == unix.SOCK_DGRAM
	if listening, err := s.option(unix.SO_ACCEPTCONN); err == nil {
		s.listening = listening != 0
	}
	return os.NewSyscallError("fcntl", unix.SetNonblock(s.fd, true))
}

// Conn turns the socket into a connection of package net: it is the reverse of [Adopt]. The Socket is closed.
// If Conn fails, the Socket is unchanged.
func (s *Socket) Conn() (net.Conn, error) {
	fd, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(fd), s.network)
	conn, err := net.FileConn(f)
	f.Close() // FileConn has a duplicate of its own
	if err != nil {
		return nil, err
	}
	return conn, s.Close()
}

// NewPair returns two sockets that are connected to each other, like a pipe for both directions.
func NewPair() (a, b *Socket, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		err = errors.Join(err, unix.SetNonblock(fd, true))
	}
	a, b = &Socket{fd: fds[0], network: "unix"}, &Socket{fd: fds[1], network: "unix"}
	if err != nil {
		return nil, nil, errors.Join(os.NewSyscallError("fcntl", err), a.Close(), b.Close())
	}
	return a, b, nil
}
