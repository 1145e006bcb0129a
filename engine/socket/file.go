//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// FileWrapper: files, pipes and devices.

package socket

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// FileWrapper is an [Endpoint] for a descriptor that is not a socket: a file, a pipe or a device. It owns a
// duplicate.
type FileWrapper struct{ fd int }

var _ Endpoint = (*FileWrapper)(nil)

// NewFileWrapper duplicates fd, which the caller still has to close. The duplicate is close-on-exec.
func NewFileWrapper(fd int) (*FileWrapper, error) {
	duplicate, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	return &FileWrapper{duplicate}, nil
}

// FD returns the duplicate, -1 after Close.
func (f *FileWrapper) FD() int { return f.fd }

// Recv reads into p, and returns io.EOF at the end of the file.
func (f *FileWrapper) Recv(p []byte) (int, error) {
	for {
		n, err := unix.Read(f.fd, p)
		switch err {
		case nil:
			if n == 0 && len(p) > 0 {
				return 0, io.EOF
			}
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, ErrWouldBlock
		default:
			return 0, os.NewSyscallError("read", err)
		}
	}
}

// Send writes some of p.
func (f *FileWrapper) Send(p []byte) (int, error) {
	for {
		n, err := unix.Write(f.fd, p)
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, ErrWouldBlock
		default:
			return 0, os.NewSyscallError("write", err)
		}
	}
}

// Close closes the duplicate. A second Close does nothing.
func (f *FileWrapper) Close() error {
	fd := f.fd
	if fd < 0 {
		return nil
	}
	f.fd = -1
	return os.NewSyscallError("close", unix.Close(fd))
}
