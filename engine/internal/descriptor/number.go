//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// The numbers of descriptors: tables and lists of them.

package descriptor

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Max limits the tables indexed by descriptor. It is four times Linux's default for the largest number of
// descriptors of a process.
const Max = 1 << 22

// Grown returns table with room for the index fd, and for some more.
func Grown[E any](table []E, fd int) []E {
	if fd < len(table) {
		return table
	}
	size := max(8, min(2*len(table), len(table)+4096), fd+1)
	bigger := make([]E, size)
	copy(bigger, table)
	return bigger
}

// Without returns the list without fd, which it contains at most once.
func Without(list []int32, fd int32) []int32 {
	if i := slices.Index(list, fd); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// NotOpen returns the error of a system call for a descriptor that is not open.
func NotOpen(call string) error { return os.NewSyscallError(call, unix.EBADF) }
