//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// The bits of events.

package poller

// Events are conditions of a descriptor: poll(2)'s bits, with poll's numbers on every platform.
type Events uint32

// The conditions. A channel wants Read, Write, both or neither; the others come with them.
const (
	Read     Events = 0x1  // data, end of file, or a connection to accept
	Priority Events = 0x2  // out-of-band data
	Write    Events = 0x4  // room to write, or a connect that has ended
	Error    Events = 0x8  // a pending error
	Hangup   Events = 0x10 // both directions are closed
	Invalid  Events = 0x20 // the descriptor is not open
)
