//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Socket options.

package socket

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// SetReuseAddr lets the address be bound again at once.
func (s *Socket) SetReuseAddr() error { return s.set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) }

// SetReusePort lets several sockets listen on one address, and has the system divide the connections among
// them (on Darwin, NetBSD and OpenBSD it need not divide them evenly).
func (s *Socket) SetReusePort() error { return s.set(unix.SOL_SOCKET, reusePort, 1) }

// SetKeepAlive asks the other end whether it is still there, when nothing came for so long and then again
// each time; 0 ends that. OpenBSD has one time for all connections.
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

// SetNoDelay says whether TCP sends small pieces at once, instead of gathering them, as it does by
// default.
func (s *Socket) SetNoDelay(on bool) error {
	value := 0
	if on {
		value = 1
	}
	return s.set(unix.IPPROTO_TCP, unix.TCP_NODELAY, value)
}

// SetReadBuffer sets how many bytes the system keeps for Recv.
func (s *Socket) SetReadBuffer(bytes int) error { return s.set(unix.SOL_SOCKET, unix.SO_RCVBUF, bytes) }

// SetWriteBuffer sets how many bytes the system keeps of what was sent.
func (s *Socket) SetWriteBuffer(bytes int) error {
	return s.set(unix.SOL_SOCKET, unix.SO_SNDBUF, bytes)
}

func (s *Socket) set(level, option, value int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(s.fd, level, option, value))
}

// option is a socket's option.
func (s *Socket) option(name int) (int, error) {
	value, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, name)
	return value, os.NewSyscallError("getsockopt", err)
}
