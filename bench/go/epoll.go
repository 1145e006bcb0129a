package main

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// echoForEver serves what an epoll set has, past Go's scheduler.
func echoForEver(set, listener int, add func(fd int) error) error {
	runtime.LockOSThread()
	var events [1024]unix.EpollEvent
	buffer := make([]byte, 1<<16)
	room := uintptr(unsafe.Pointer(&buffer[0]))
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(set),
			uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), ^uintptr(0), 0, 0)
		if errno != 0 && errno != unix.EINTR {
			return errno
		}
		for _, event := range events[:max(0, int(n))] {
			fd := int(event.Fd)
			if fd == listener {
				conn, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK)
				if err == nil {
					err = add(conn)
				}
				if err != nil && err != unix.EAGAIN {
					return err
				}
				continue
			}
			got, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), room, uintptr(len(buffer)))
			if errno != 0 || got == 0 {
				if errno != unix.EAGAIN {
					unix.Close(fd)
				}
				continue
			}
			unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), room, got, unix.MSG_NOSIGNAL, 0, 0)
		}
	}
}
