//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Package selector runs passes over the channels of a map, without knowing channels. It serves a [Source],
// which tells them what happened, asks them what they wait for, and returns only what changed since the last
// pass. A [Selector] remembers the rest. So a pass costs what the active channels cost, however many others
// are idle.
//
// Readiness comes from a Poller. What of it a channel is told depends on the [Meaning] of the pass, select's
// or poll's, never on the poller.
//
// A Selector belongs to one goroutine at a time. Only its poller's Wake, and a write to WakeFD, may come
// from elsewhere, at any time; they end a wait unless the Due of its Options says otherwise. A Run may not
// be started inside another Run of the same Selector: it returns ErrRunning.
//
//   - A descriptor that is not open ends a Run with EBADF in select's meaning, and is told to its
//     channel as Invalid in each pass in poll's. That it was closed, or replaced, without a word
//     to the engine is found out by a look at all of them with poll(2), once a second or when
//     nothing else happens, for at most a hundredth of the time.
//   - A condition that the wait cannot leave out and that means nothing to the channel (a hang-up
//     for one that only wants to write, in select's meaning) is put aside and looked at again
//     every half second. So a Run with nothing to tell never spins.
package selector
