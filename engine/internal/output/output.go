// Package output is how a channel that buffers what it sends has the loop send the rest.
//
// It serves the channels of engine and of chat. It is not a method of Dispatcher, because a program that embeds one could override
// it unknowingly, and its output would stop.
package output

// Sender is a channel's buffered output.
type Sender interface {
	// SendMore sends some of what is buffered. The loop calls it when there is room.
	SendMore() error
}

// Set makes s the output of a *engine.Dispatcher.
var Set func(dispatcher any, s Sender)

// Pending says whether something is buffered.
var Pending func(dispatcher any, pending bool)
