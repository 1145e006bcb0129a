//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Package poller waits for descriptors: epoll, kqueue, poll and select behind one interface.
//
// [Open] opens the best [Poller] that works here, or the one of a name. A Poller keeps what it was told of
// descriptors from one wait to the next. It belongs to one goroutine at a time; only Wake, and a write to
// WakeFD, may come from elsewhere, at any time.
//
// It reports conditions in poll(2)'s terms, on every platform; the select poller cannot tell a hang-up or
// an error from readiness. What a condition means to a channel is not its business: see package selector.
//
// Descriptors are not the poller's: it never closes, reads or writes one that it was given. Its own are
// close-on-exec and have numbers from 960 up, where the limit allows. It knows them again before it uses
// them, since a program may close every number that it has: Verify then opens others.
//
//   - A regular file, or what else epoll refuses as always ready, is always ready.
//   - A descriptor that is not open is an error that wraps EBADF, or Invalid from the next Wait. One that is
//     closed or replaced later drops out of a poller that is InKernel, unseen.
//   - A closed descriptor whose open file lives on (a child has it, or another number) may go on giving
//     events; the poller then starts afresh without it.
//
// However much of all this there is, one Wait makes a bounded number of system calls.
package poller
