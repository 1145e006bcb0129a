//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// What "ready" means to select and to poll.

package selector

import (
	"github.com/goasyncore/goasyncore/engine/poller"
)

// Meaning is the system call whose meaning of ready a pass has.
type Meaning int

// The meanings.
const (
	Select Meaning = iota // readable, writable and exceptional, as select(2) reports them
	Poll                  // the conditions themselves, as poll(2) reports them
)

// Interest returns what to wait for if a channel wants want (of Read and Write). select watches every channel for
// priority data, poll only those that read.
func (m Meaning) Interest(want poller.Events) poller.Events {
	want &= poller.Read | poller.Write
	if want&poller.Read != 0 || want != 0 && m == Select {
		want |= poller.Priority
	}
	return want
}

// Ready returns what a channel that wants want is told if its descriptor has the conditions got; 0 is nothing.
func (m Meaning) Ready(want, got poller.Events) poller.Events {
	interest := m.Interest(want)
	if interest == 0 {
		return 0
	}
	if m == Poll {
		return got & (interest | poller.Error | poller.Hangup | poller.Invalid)
	}
	told := got & interest
	if want&poller.Read != 0 && got&(poller.Error|poller.Hangup) != 0 {
		told |= poller.Read
	}
	if want&poller.Write != 0 && got&poller.Error != 0 {
		told |= poller.Write
	}
	return told
}
