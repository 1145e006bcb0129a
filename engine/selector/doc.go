//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Package selector runs passes over the channels of a map, without knowing channels. It serves a [Source],
// which tells them what happened, asks them what they wait for, and returns only what changed since the last
// pass. A [Selector] remembers the rest. So a pass costs what the active channels cost, however many others
// are idle.
//
// A Poller reports which descriptors are ready. What a channel is told depends on the [Meaning] of the pass,
// select's or poll's, never on the poller.
//
// A Selector belongs to one goroutine at a time. Only its poller's Wake, and a write to WakeFD, may come
// from elsewhere, at any time; they end a wait unless the Due of its Options says otherwise. A Run may not
// be started inside another Run of the same Selector: it returns ErrRunning.
//
//   - In select's meaning, a descriptor that is not open ends a Run with EBADF. In poll's meaning, its channel
//     is told Invalid in each pass. An audit with poll(2) finds descriptors that were closed or replaced
//     without a Change: of a few, whenever a wait begins; of many, once a second, for at most a hundredth of
//     the time.
//   - A condition that means nothing to the channel (in select's meaning, a hang-up for one that only wants
//     to write) cannot be left out of the wait. Such a descriptor is removed from the poller and looked at
//     every half second. So a Run with nothing to tell never spins.
package selector
