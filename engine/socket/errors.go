//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// ErrWouldBlock.

package socket

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrWouldBlock says that there is nothing to receive, or to accept, or no room to send. It wraps
// EAGAIN. A handler may return it: the loop tells the handler again when that has changed.
var ErrWouldBlock = fmt.Errorf("socket: not ready: %w", unix.EAGAIN)
