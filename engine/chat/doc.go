// Package chat has channels for protocols of commands and responses, on top of engine.
//
// A [Channel] collects what arrives until its terminator, a sequence of bytes or a number of them,
// and then calls FoundTerminator. It sends through a queue of data and producers.
//
//	type session struct {
//		chat.Channel
//		line []byte
//	}
//
//	func (s *session) CollectIncomingData(data []byte) error {
//		s.line = append(s.line, data...)
//		return nil
//	}
//
//	func (s *session) FoundTerminator() error {
//		defer func() { s.line = s.line[:0] }()
//		return s.Push(s.line)
//	}
//
// Finding a terminator takes time in proportion to the input, in whatever pieces it arrives. Sending takes
// time in proportion to the output, however much is queued.
//
// As in package engine, a channel belongs to the goroutine that runs the loop.
package chat
