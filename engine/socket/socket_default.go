//go:build darwin || dragonfly || freebsd || netbsd || openbsd

// Socket calls on systems other than Linux.

package socket

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func openSocket(family, kind int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, kind, 0)
	if err != nil {
		return -1, err
	}
	return prepared(fd)
}

func acceptSocket(fd int) (int, unix.Sockaddr, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	accepted, peer, err := unix.Accept(fd)
	if err != nil {
		return -1, nil, err
	}
	accepted, err = prepared(accepted)
	return accepted, peer, err
}

// prepared makes a new descriptor close-on-exec and non-blocking.
func prepared(fd int) (int, error) {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func recvNow(fd int, p []byte) (int, unix.Errno) { return retried(fd, p, unix.Read) }

func sendNow(fd int, p []byte) (int, unix.Errno) { return retried(fd, p, unix.Write) }

func retried(fd int, p []byte, call func(int, []byte) (int, error)) (int, unix.Errno) {
	for {
		n, err := call(fd, p)
		switch errno, _ := err.(unix.Errno); errno {
		case 0:
			return n, 0
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
