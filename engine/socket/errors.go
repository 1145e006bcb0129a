//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// ErrWouldBlock.

package socket

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrWouldBlock means that there is nothing to receive or to accept, or no room to send. It wraps EAGAIN. A
// handler may return it: the loop calls the handler again when this has changed.
var ErrWouldBlock = fmt.Errorf("socket: not ready: %w", unix.EAGAIN)
