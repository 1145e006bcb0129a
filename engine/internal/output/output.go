// Package output makes the loop send what a channel has buffered.
//
// It serves the channels of engine and of chat. It is not a method of Dispatcher, because a program that embeds one could override
// it unknowingly, and its output would stop.
package output

// Sender is the buffered output of a channel.
type Sender interface {
	// SendMore sends some of what is buffered. The loop calls it when there is room.
	SendMore() error
}

// Set makes s the output of a *engine.Dispatcher.
var Set func(dispatcher any, s Sender)

// Pending tells the channel whether something is buffered.
var Pending func(dispatcher any, pending bool)
