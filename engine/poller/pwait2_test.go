//go:build linux

package poller

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/fdtest"
)

// refuse has the kernel refuse a system call to every thread of the process, for good.
func refuse(t *testing.T, call uint32, errno unix.Errno) {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread() // the thread that may not get privileges is the one that sets the filter
	defer runtime.UnlockOSThread()
	require.NoError(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	_, _, failure := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if failure != 0 {
		t.Skip("no filter of system calls can be set here: ", failure)
	}
}

const refusing = "GOASYNCORE_TEST_REFUSES"

// TestWithoutPwait2TimeoutsAreRoundedUp runs itself in a process of its own, for a refusal is for good.
func TestWithoutPwait2TimeoutsAreRoundedUp(t *testing.T) {
	errnos := map[string]unix.Errno{"ENOSYS": unix.ENOSYS, "EPERM": unix.EPERM} // an old kernel's, a sandbox's
	if name := os.Getenv(refusing); name != "" {
		refuse(t, unix.SYS_EPOLL_PWAIT2, errnos[name])
		_, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, 0, 0, 0, 0, 0, 0)
		require.Equal(t, errnos[name], errno)
		waitsWithoutPwait2(t)
		return
	}
	for name := range errnos {
		t.Run(name, func(t *testing.T) {
			again := exec.Command(os.Args[0], "-test.run=^TestWithoutPwait2TimeoutsAreRoundedUp$", "-test.timeout=60s", "-test.v")
			again.Env = append(os.Environ(), refusing+"="+name)
			output, err := again.CombinedOutput()
			require.NoError(t, err, string(output))
			if strings.Contains(string(output), "--- SKIP") {
				t.Skip(string(output))
			}
			assert.Contains(t, string(output), "--- PASS")
		})
	}
}

func waitsWithoutPwait2(t *testing.T) {
	p := newEpoll(t)
	a, b := fdtest.Pair(t)
	require.NoError(t, p.Add(a, Read))
	ready := make([]Ready, 1)
	for range 3 {
		began := time.Now()
		n, err := wait(p, ready, 300*time.Microsecond)
		require.NoError(t, err)
		assert.Zero(t, n)
		assert.GreaterOrEqual(t, time.Since(began), 300*time.Microsecond)
	}
	assert.True(t, noPwait2.Load(), "it is not asked again")
	fdtest.Feed(t, b)
	n, err := wait(p, ready, time.Minute+time.Microsecond)
	require.NoError(t, err)
	assert.Equal(t, []Ready{{int32(a), Read}}, ready[:n])
}
