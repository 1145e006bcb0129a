//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// The numbers of descriptors: tables and lists of them.

package descriptor

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Max bounds the tables indexed by descriptor. Linux's default for the largest number of
// descriptors a process may ask for is a quarter of it.
const Max = 1 << 22

// Grown gives table room for the index fd, and reserve for those that are likely to follow.
func Grown[E any](table []E, fd int) []E {
	if fd < len(table) {
		return table
	}
	size := max(8, min(2*len(table), len(table)+4096), fd+1)
	bigger := make([]E, size)
	copy(bigger, table)
	return bigger
}

// Without takes fd out of a list that holds it at most once.
func Without(list []int32, fd int32) []int32 {
	if i := slices.Index(list, fd); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// NotOpen says that fd cannot be waited for with call because it is not open.
func NotOpen(call string) error { return os.NewSyscallError(call, unix.EBADF) }
