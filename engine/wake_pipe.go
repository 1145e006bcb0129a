//go:build unix

package engine

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openPipe opens a pipe. Darwin has no pipe2, so a fork of this runtime has to be held off until
// both ends are close-on-exec.
func openPipe() (*waker, error) {
	var ends [2]int
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := unix.Pipe(ends[:]); err != nil {
		return nil, os.NewSyscallError("pipe", err)
	}
	for i, fd := range ends {
		unix.CloseOnExec(fd)
		ends[i] = aside(fd)
	}
	w := &waker{read: ends[0], write: ends[1]}
	for _, fd := range ends {
		if err := unix.SetNonblock(fd, true); err != nil {
			w.close()
			return nil, os.NewSyscallError("fcntl", err)
		}
	}
	return w, nil
}
