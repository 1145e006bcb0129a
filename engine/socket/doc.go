//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Package socket has what a channel reads and writes through: sockets, files, pipes and devices.
//
// None of its calls waits, except for names that LookUp looks up: what cannot be done now is
// [ErrWouldBlock]. A [Socket] or a [FileWrapper] belongs to one goroutine at a time, like the channel that
// has it, and owns its descriptor.
package socket
