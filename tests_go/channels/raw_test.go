package channels

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// raw is a descriptor that can be adopted, as a net.Conn can.
type raw struct{ fd int }

func (r *raw) Close() error                            { return unix.Close(r.fd) }
func (r *raw) SyscallConn() (syscall.RawConn, error)   { return r, nil }
func (r *raw) Control(f func(fd uintptr)) error        { f(uintptr(r.fd)); return nil }
func (r *raw) Read(func(fd uintptr) (done bool)) error { return unix.ENOSYS }

// Write is the rest of syscall.RawConn.
func (r *raw) Write(func(fd uintptr) (done bool)) error { return unix.ENOSYS }
