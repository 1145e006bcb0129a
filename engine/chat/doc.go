// Package chat has channels for protocols of commands and responses, on top of engine.
//
// A [Channel] collects what arrives until its terminator, a sequence of bytes or a number of them,
// and then calls FoundTerminator. What it has to say goes through a queue of data and producers.
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
// However the input is cut into pieces, finding a terminator takes time in proportion to the
// input; and however much is queued, sending takes time in proportion to that.
//
// The goroutine rules are engine's: a channel belongs to the goroutine that runs the loop.
package chat
