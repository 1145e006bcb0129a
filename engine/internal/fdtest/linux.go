//go:build linux

// Descriptors that only Linux has.

package fdtest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Regular is the descriptor of a regular file.
func Regular(t testing.TB) int {
	fd, err := unix.MemfdCreate("regular", unix.MFD_CLOEXEC)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// WithLimit allows descriptors below limit only until the test ends.
func WithLimit(t testing.TB, limit uint64) {
	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	lower := unix.Rlimit{Cur: limit, Max: before.Max}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &lower))
	t.Cleanup(func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before)) })
}
