//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Socket and Addr, as handlers are given them.

package engine

import "github.com/goasyncore/goasyncore/engine/socket"

// What handlers and options are given.
type (
	Socket = socket.Socket // see package socket
	Addr   = socket.Addr   // see package socket
)

// ErrWouldBlock is [socket.ErrWouldBlock]. A handler may return it: the loop tells the handler again when
// that has changed.
var ErrWouldBlock = socket.ErrWouldBlock
