//go:build linux

package main

import (
	"os"
	"syscall"
	"unsafe"
)

type epoll struct {
	fd     int
	events [1024]syscall.EpollEvent
}

func newEpoll() (*epoll, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &epoll{fd: fd}, nil
}

// set makes fd wait for what is in events alone; op is EPOLL_CTL_ADD or EPOLL_CTL_MOD.
func (e *epoll) set(op, fd int, events uint32) error {
	event := syscall.EpollEvent{Events: events, Fd: int32(fd)}
	_, _, errno := syscall.RawSyscall6(
		syscall.SYS_EPOLL_CTL, uintptr(e.fd), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(&event)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("epoll_ctl", errno)
	}
	return nil
}

// wait returns what is ready, valid until the next wait; nothing when a signal ended it.
func (e *epoll) wait() ([]syscall.EpollEvent, error) {
	n, _, errno := syscall.RawSyscall6(
		syscall.SYS_EPOLL_PWAIT, uintptr(e.fd), uintptr(unsafe.Pointer(&e.events[0])),
		uintptr(len(e.events)), ^uintptr(0), 0, 0)
	if errno == syscall.EINTR {
		return nil, nil
	}
	if errno != 0 {
		return nil, os.NewSyscallError("epoll_wait", errno)
	}
	return e.events[:n], nil
}
