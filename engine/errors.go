//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package engine

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ErrRunning is what Run answers while another Run of the same Selector has not ended.
var ErrRunning = errors.New("engine: the selector is running already")

// ErrUnknownPoller is what Open answers for a name that no poller of the platform has.
var ErrUnknownPoller = errors.New("engine: no such poller")

// errLost says that somebody closed or replaced the descriptor a poller lives in. It is not EBADF,
// which would blame the channel's.
var errLost = errors.New("engine: the poller's own descriptor was closed")

// errInterrupted is made beforehand: signals may be frequent.
var errInterrupted = os.NewSyscallError("wait", unix.EINTR)

// badFD says that fd cannot be waited for with call because it is not open.
func badFD(call string) error { return os.NewSyscallError(call, unix.EBADF) }
