//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Socket and Addr, as handlers are given them.

package engine

import "github.com/goasyncore/goasyncore/engine/socket"

// The types that handlers and options are given.
type (
	Socket = socket.Socket // see package socket
	Addr   = socket.Addr   // see package socket
)

// ErrWouldBlock is [socket.ErrWouldBlock]. A handler may return it: the loop calls the handler again when
// there is something to receive or room to send.
var ErrWouldBlock = socket.ErrWouldBlock
