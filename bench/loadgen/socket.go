//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"
)

// A pair of addresses has some 28,000 ports, and each stays taken for a minute after its connection
// was closed here. So the generator takes another address of its own (all of 127/8 is loopback)
// after this many connections.
const connectionsPerAddress = 4000

const ipBindAddressNoPort = 24

type dialer struct {
	port   int
	dialed int
}

// dial starts a connection; a non-blocking one may be still in progress.
func (d *dialer) dial(flags int) (fd int, err error) {
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|flags, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	defer func() {
		if err != nil {
			shut(fd)
		}
	}()
	// The port is then chosen in connect, which knows the other end and can share ports.
	if err = syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipBindAddressNoPort, 1); err != nil {
		return fd, os.NewSyscallError("setsockopt", err)
	}
	if err = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return fd, os.NewSyscallError("setsockopt", err)
	}
	own := byte(d.dialed / connectionsPerAddress % 250)
	d.dialed++
	if err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 1, 0, own + 1}}); err != nil {
		return fd, os.NewSyscallError("bind", err)
	}
	err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: d.port, Addr: [4]byte{127, 0, 0, 1}})
	if err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		return fd, fmt.Errorf("connection %d: %w", d.dialed, os.NewSyscallError("connect", err))
	}
	return fd, nil
}

// read returns 0 and no error where nothing is there yet; the end of the stream is io.EOF.
func read(fd int, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(
		syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		return 0, nil
	case errno != 0:
		return 0, os.NewSyscallError("read", errno)
	case n == 0:
		return 0, io.EOF
	}
	return int(n), nil
}

// write returns 0 and no error where nothing can be sent yet.
func write(fd int, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(
		syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	switch errno {
	case 0:
		return int(n), nil
	case syscall.EAGAIN, syscall.EINTR:
		return 0, nil
	}
	return 0, os.NewSyscallError("write", errno)
}

// writeAll is for messages that a socket takes whole, because little is under way on it.
func writeAll(fd int, p []byte) error {
	n, err := write(fd, p)
	if err == nil && n != len(p) {
		err = fmt.Errorf("write: %d of %d bytes", n, len(p))
	}
	return err
}

func shut(fd int) {
	syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0)
}
