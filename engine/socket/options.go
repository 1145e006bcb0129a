//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Socket options.

package socket

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// SetReuseAddr allows the address to be bound again at once.
func (s *Socket) SetReuseAddr() error { return s.set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) }

// SetReusePort allows several sockets to listen on one address. The system distributes the connections among
// them, on Darwin, NetBSD and OpenBSD perhaps not evenly.
func (s *Socket) SetReusePort() error { return s.set(unix.SOL_SOCKET, reusePort, 1) }

// SetKeepAlive makes the system send a probe to the other end whenever nothing has arrived for that long; 0
// disables it. OpenBSD has one duration for all connections.
func (s *Socket) SetKeepAlive(idle time.Duration) error {
	if idle <= 0 {
		return s.set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	}
	seconds := int((idle + time.Second - 1) / time.Second)
	for _, option := range keepAliveTimes {
		if err := s.set(unix.IPPROTO_TCP, option, seconds); err != nil {
			return err
		}
	}
	return s.set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
}

// SetNoDelay sets whether TCP sends small pieces at once. By default it joins them to larger ones.
func (s *Socket) SetNoDelay(on bool) error {
	value := 0
	if on {
		value = 1
	}
	return s.set(unix.IPPROTO_TCP, unix.TCP_NODELAY, value)
}

// SetReadBuffer sets how many received bytes the system buffers.
func (s *Socket) SetReadBuffer(bytes int) error { return s.set(unix.SOL_SOCKET, unix.SO_RCVBUF, bytes) }

// SetWriteBuffer sets how many sent bytes the system buffers.
func (s *Socket) SetWriteBuffer(bytes int) error {
	return s.set(unix.SOL_SOCKET, unix.SO_SNDBUF, bytes)
}

func (s *Socket) set(level, option, value int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(s.fd, level, option, value))
}

// option returns a socket's option.
func (s *Socket) option(name int) (int, error) {
	value, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, name)
	return value, os.NewSyscallError("getsockopt", err)
}
