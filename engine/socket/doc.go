//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Package socket provides the endpoints of channels: sockets, files, pipes and devices.
//
// None of its functions blocks, except LookUp, which looks up names: what would block returns
// [ErrWouldBlock]. A [Socket] or a [FileWrapper] belongs to one goroutine at a time, like its channel, and
// owns its descriptor.
package socket
