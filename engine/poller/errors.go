//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// The errors.

package poller

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ErrUnknown is the error of Open for a name that no poller of the platform has.
var ErrUnknown = errors.New("poller: no such poller")

// ErrLost says that the descriptor a poller lives in was closed or replaced. It is not EBADF, which would
// blame the one that was to be registered.
var ErrLost = errors.New("poller: the poller's own descriptor was closed")

// errInterrupted is made beforehand: signals may be frequent.
var errInterrupted = os.NewSyscallError("wait", unix.EINTR)
