//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package engine

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

// Meaning is the system call whose idea of ready a pass has.
type Meaning int

// The meanings.
const (
	Select Meaning = iota // readable, writable and exceptional, as select(2) tells them
	Poll                  // the conditions themselves, as poll(2) tells them
)

// Interest is what to wait for on behalf of a channel that wants want (of Read and Write). select
// watches every channel for priority data, poll only those that read.
func (m Meaning) Interest(want Events) Events {
	want &= Read | Write
	if want&Read != 0 || want != 0 && m == Select {
		want |= Priority
	}
	return want
}

// Ready is what a channel that wants want is told when its descriptor has the conditions got; 0
// means nothing.
func (m Meaning) Ready(want, got Events) Events {
	interest := m.Interest(want)
	if interest == 0 {
		return 0
	}
	if m == Poll {
		return got & (interest | Error | Hangup | Invalid)
	}
	told := got & interest
	if want&Read != 0 && got&(Error|Hangup) != 0 {
		told |= Read
	}
	if want&Write != 0 && got&Error != 0 {
		told |= Write
	}
	return told
}
