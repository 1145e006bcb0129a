//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Package poller waits for descriptors: epoll, kqueue, poll and select behind one interface.
//
// [Open] opens the best [Poller] that works here, or the one with a given name. A Poller keeps its registrations
// from one wait to the next. It belongs to one goroutine at a time; only Wake may be called, and WakeFD written
// to, from elsewhere and at any time.
//
// It reports conditions in poll(2)'s terms, on every platform. The select poller cannot distinguish a hang-up or
// an error from readiness. Package selector decides what a condition means to a channel.
//
// The poller never closes, reads or writes a descriptor that was registered. Its own are close-on-exec and have
// numbers from 960 up, if the limit allows. A program may close all its descriptors, these included, and get
// their numbers for its own files. So the poller checks that they are still its own before it uses them, and
// Verify opens others if they are not.
//
//   - A regular file, and anything else that epoll refuses with EPERM, is always ready.
//   - For a descriptor that is not open, Add returns an error that wraps EBADF, or the next Wait reports
//     Invalid. One that is closed or replaced later disappears from a poller that is InKernel, without notice.
//   - The open file of a closed descriptor may still be open elsewhere, in a child or under another number,
//     and give events. The poller then registers everything in a new set, except this file.
//
// In all these cases, one Wait makes a bounded number of system calls.
package poller
