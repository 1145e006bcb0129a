//go:build linux

package main

import (
	"bytes"
	"syscall"
)

// churn connects, has one message echoed and closes, again and again, with some of these under way at
// a time; an operation is a connection.
func churn(o options, m *meter) error {
	e, err := newEpoll()
	if err != nil {
		return err
	}
	d := &dialer{port: o.port}
	message := bytes.Repeat([]byte{'x'}, o.size)
	buffer := make([]byte, o.size)
	got := map[int]int{}
	open := func() error {
		fd, err := d.dial(syscall.SOCK_NONBLOCK)
		if err != nil {
			return err
		}
		got[fd] = 0
		return e.set(syscall.EPOLL_CTL_ADD, fd, syscall.EPOLLOUT)
	}
	for range o.active {
		if err := open(); err != nil {
			return err
		}
	}
	var done int64
	for {
		ready, err := e.wait()
		if err != nil {
			return err
		}
		for i := range ready {
			fd := int(ready[i].Fd)
			if ready[i].Events&syscall.EPOLLOUT != 0 {
				// A connection that failed tells it here.
				if err := writeAll(fd, message); err != nil {
					return err
				}
				if err := e.set(syscall.EPOLL_CTL_MOD, fd, syscall.EPOLLIN); err != nil {
					return err
				}
				continue
			}
			n, err := read(fd, buffer)
			if err != nil {
				return err
			}
			if got[fd] += n; got[fd] < o.size {
				continue
			}
			delete(got, fd)
			shut(fd)
			if err := open(); err != nil {
				return err
			}
			if done++; done == int64(o.active) {
				m.served()
			}
		}
		if over, err := m.over(done); over || err != nil {
			return err
		}
	}
}
