package main

import (
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// load is the connections to a server, each of which sends its message again when it is back.
type load struct {
	set    int
	conns  []int
	idle   []int
	events []unix.EpollEvent
}

var message = make([]byte, 64)

// newLoad connects, and waits until the server has answered everybody once.
func newLoad(address string, active, idle int) (*load, error) {
	where, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	l := &load{events: make([]unix.EpollEvent, 1024)}
	if l.set, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	for i := range idle + active {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			l.close()
			return nil, err
		}
		l.idle = append(l.idle, fd)
		to := &unix.SockaddrInet4{Port: where.Port, Addr: [4]byte{127, 0, 0, 1}}
		if err := errors.Join(unix.Connect(fd, to), unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)); err != nil {
			l.close()
			return nil, err
		}
		if i%64 == 63 || i >= idle { // one round trip: the server has accepted all before
			if err := roundTrip(fd); err != nil {
				l.close()
				return nil, err
			}
		}
	}
	l.idle, l.conns = l.idle[:idle], l.idle[idle:]
	for _, fd := range l.conns {
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		err = errors.Join(err, unix.SetNonblock(fd, true), unix.EpollCtl(l.set, unix.EPOLL_CTL_ADD, fd, &event))
	}
	return l, err
}

func roundTrip(fd int) error {
	if _, err := unix.Write(fd, message); err != nil {
		return err
	}
	buffer := make([]byte, len(message))
	for got := 0; got < len(message); {
		n, err := unix.Read(fd, buffer[got:])
		if err != nil || n == 0 {
			return fmt.Errorf("the server closed: %v", err)
		}
		got += n
	}
	return nil
}

// run plays for so long, until every message is back, and says how many were.
func (l *load) run(length time.Duration) (messages int, err error) {
	for _, fd := range l.conns {
		if _, err := unix.Write(fd, message); err != nil {
			return 0, err
		}
	}
	buffer := make([]byte, 2*len(message))
	end := time.Now().Add(length)
	for out := len(l.conns); out > 0; {
		n, err := unix.EpollWait(l.set, l.events, 5000)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return messages, fmt.Errorf("no answer: %v", err)
		}
		over := time.Now().After(end)
		for _, event := range l.events[:n] {
			n, err := unix.Read(int(event.Fd), buffer)
			if err != nil || n != len(message) { // 64 bytes are never divided on loopback
				return messages, fmt.Errorf("%d bytes back: %v", n, err)
			}
			messages++
			if over {
				out--
			} else if _, err := unix.Write(int(event.Fd), message); err != nil {
				return messages, err
			}
		}
	}
	return messages, nil
}

// sparse sends one message after the other, each so long after the answer to the one before.
func (l *load) sparse(length, pause time.Duration) (messages int, err error) {
	fd := l.conns[0]
	buffer := make([]byte, len(message))
	for end := time.Now().Add(length); time.Now().Before(end); messages++ {
		if _, err := unix.Write(fd, message); err != nil {
			return messages, err
		}
		if n, err := unix.EpollWait(l.set, l.events, 5000); err != nil || n != 1 {
			return messages, fmt.Errorf("no answer: %v", err)
		}
		if n, err := unix.Read(fd, buffer); err != nil || n != len(message) {
			return messages, fmt.Errorf("%d bytes back: %v", n, err)
		}
		time.Sleep(pause)
	}
	return messages, nil
}

func (l *load) close() {
	for _, fds := range [][]int{l.idle, l.conns, {l.set}} {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
}
