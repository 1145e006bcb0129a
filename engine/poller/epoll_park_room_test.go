//go:build linux

package poller

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const withoutRoom = "GOASYNCORE_TEST_WITHOUT_ROOM"

// TestAFirstLongWaitNeedsNoDescriptor runs itself in processes of its own: Go's runtime opens its poller
// once, and ends the process if it cannot.
func TestAFirstLongWaitNeedsNoDescriptor(t *testing.T) {
	if when := os.Getenv(withoutRoom); when != "" {
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 30, Max: 30}))
		opened, err := openEpoll()
		require.NoError(t, err)
		p := opened.(*epollPoller)
		left := int(when[len(when)-1] - '0')
		if when[0] == 'b' {
			useUp(t, left)
		}
		p.park()
		if when[0] == 'a' {
			useUp(t, left)
		}
		assert.Empty(t, waitLong(t, p, 20*time.Millisecond))
		return
	}
	for _, when := range []string{"before 0", "before 1", "before 2", "before 3", "after 0", "after 1", "after 2"} {
		t.Run(when, func(t *testing.T) {
			limit, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			// Without a timeout of its own: Go's first timer opens its poller, too.
			again := exec.CommandContext(limit, os.Args[0],
				"-test.run=^TestAFirstLongWaitNeedsNoDescriptor$", "-test.timeout=0", "-test.v")
			again.Env = append(os.Environ(), withoutRoom+"="+when)
			output, err := again.CombinedOutput()
			require.NoError(t, err, string(output))
			assert.Contains(t, string(output), "--- PASS")
		})
	}
}

// useUp opens descriptors until only so many are left.
func useUp(t *testing.T, left int) {
	var opened []int
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			require.ErrorIs(t, err, unix.EMFILE)
			break
		}
		opened = append(opened, fd)
	}
	for _, fd := range opened[len(opened)-left:] {
		require.NoError(t, unix.Close(fd))
	}
}
