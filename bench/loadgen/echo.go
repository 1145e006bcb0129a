//go:build linux

package main

import (
	"bytes"
	"fmt"
	"syscall"
)

// A server's queue of connections that it has not accepted yet takes some 4,000; more would wait for
// a second each until they are tried again.
const connectionsAtOnce = 1000

// fill opens the idle connections. Unless the load is blind, the server proves by an echo now and
// then that it has accepted all so far.
func fill(o options, d *dialer) error {
	buffer := bytes.Repeat([]byte{'x'}, o.size)
	for n := 1; n <= o.idle; n++ {
		fd, err := d.dial(0)
		if err != nil {
			return err
		}
		if !o.blind && (n%connectionsAtOnce == 0 || n == o.idle) {
			if err := writeAll(fd, buffer); err != nil {
				return err
			}
			for got := 0; got < o.size; {
				n, err := read(fd, buffer[got:])
				if err != nil {
					return err
				}
				got += n
			}
		}
	}
	return nil
}

// talk opens the active connections behind the idle ones, greets on each, and then hands to answer
// what comes back on one of them: it says how many operations that finished and writes the next
// request. An operation is what the server answers to.
func talk(o options, m *meter, greeting []byte, answer func(fd int, data []byte) (int, error)) error {
	e, err := newEpoll()
	if err != nil {
		return err
	}
	d := &dialer{port: o.port}
	if err := fill(o, d); err != nil {
		return err
	}
	silent := map[int]bool{}
	for range o.active {
		fd, err := d.dial(0)
		if err != nil {
			return err
		}
		if err := syscall.SetNonblock(fd, true); err != nil {
			return err
		}
		if err := e.set(syscall.EPOLL_CTL_ADD, fd, syscall.EPOLLIN); err != nil {
			return err
		}
		if err := writeAll(fd, greeting); err != nil {
			return err
		}
		silent[fd] = true
	}

	buffer := make([]byte, 1<<16)
	var done int64
	for {
		ready, err := e.wait()
		if err != nil {
			return err
		}
		for i := range ready {
			fd := int(ready[i].Fd)
			n, err := read(fd, buffer)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			finished, err := answer(fd, buffer[:n])
			if err != nil {
				return err
			}
			done += int64(finished)
			if m.phase == waiting {
				if delete(silent, fd); len(silent) == 0 {
					m.served()
				}
			}
		}
		if over, err := m.over(done); over || err != nil {
			return err
		}
	}
}

// echo has one message under way on each connection; an operation is a message.
func echo(o options, m *meter) error {
	message := bytes.Repeat([]byte{'x'}, o.size)
	got := map[int]int{}
	return talk(o, m, message, func(fd int, data []byte) (int, error) {
		got[fd] += len(data)
		if got[fd] < o.size {
			return 0, nil
		}
		if got[fd] > o.size {
			return 0, fmt.Errorf("%d bytes came back of %d", got[fd], o.size)
		}
		got[fd] = 0
		return 1, writeAll(fd, message)
	})
}

// lines has several lines under way on each connection; an operation is a line.
func lines(o options, m *meter) error {
	line := append(bytes.Repeat([]byte{'x'}, o.size-2), '\r', '\n')
	batch := bytes.Repeat(line, o.flight)
	return talk(o, m, batch, func(fd int, data []byte) (int, error) {
		back := bytes.Count(data, line[len(line)-1:])
		if back == 0 {
			return 0, nil
		}
		if back > o.flight {
			return 0, fmt.Errorf("%d lines came back of %d", back, o.flight)
		}
		return back, writeAll(fd, batch[:back*len(line)])
	})
}
