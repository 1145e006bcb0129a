// A TCP relay: go run ./examples/go/relay LISTEN-ADDRESS TARGET-ADDRESS
//
// Each side stops reading while the other has much to send, so that a slow receiver slows down its
// sender instead of filling the memory. A side that has said all it has to say still hears the other.
package main

import (
	"log"
	"net"
	"os"

	"github.com/goasyncore/goasyncore/engine"
)

const much = 1 << 20 // bytes

// side is one of the two connections of a relayed one.
type side struct {
	engine.DispatcherWithSend
	other *side
	ended bool // nothing more comes from here
	shut  bool // nothing more goes out here
}

var (
	_ engine.ReadHandler  = (*side)(nil)
	_ engine.WriteHandler = (*side)(nil)
	_ engine.CloseHandler = (*side)(nil)
	_ engine.ErrorHandler = (*side)(nil)
)

func (s *side) HandleRead() error {
	n, err := s.Recv(s.Map().Buffer())
	if err != nil {
		return err
	}
	_, err = s.other.Send(s.Map().Buffer()[:n])
	s.SetReadable(!s.ended && s.other.Buffered() < much)
	return err
}

// HandleWrite is called when some of what is buffered has been sent.
func (s *side) HandleWrite() error {
	s.other.SetReadable(!s.other.ended && s.Buffered() < much)
	return s.finish()
}

// HandleClose is called at the end of what the side sends, and when its connection is lost: for the
// second time then, or with nothing left that the other could send to it.
func (s *side) HandleClose() error {
	if s.ended {
		return s.end()
	}
	s.ended = true
	s.SetReadable(false)
	return s.other.finish()
}

// HandleError is called when the target does not accept the connection.
func (s *side) HandleError(err error) error {
	log.Print(err)
	return s.end()
}

// finish tells the receiver of all that has been sent that this was all, and ends the connection when
// both have been told.
func (s *side) finish() error {
	if s.shut || !s.other.ended || s.Buffered() > 0 || !s.Connected() {
		return nil
	}
	s.shut = true
	if s.other.shut || s.Socket().CloseWrite() != nil { // an error: it is lost already
		return s.end()
	}
	return nil
}

func (s *side) end() error {
	if err := s.Close(); err != nil {
		return err
	}
	return s.other.Close()
}

type relay struct {
	engine.Dispatcher
	target string
}

var _ engine.AcceptedHandler = (*relay)(nil)

func (r *relay) HandleAccepted(sock *engine.Socket, _ engine.Addr) error {
	near, far := &side{}, &side{}
	near.other, far.other = far, near
	near.Init(near, r.Map())
	far.Init(far, r.Map())
	near.SetReadable(false)
	if err := near.Attach(sock); err != nil {
		return err
	}
	go r.lookUp(near, far)
	return nil
}

// lookUp has a goroutine of its own, because the answer may take its time.
func (r *relay) lookUp(near, far *side) {
	to, err := net.ResolveTCPAddr("tcp", r.target)
	r.Map().Do(func() { // back in the loop
		if err == nil {
			err = far.Dial("tcp", to.String())
		}
		if err != nil {
			err = near.HandleError(err)
		} else {
			near.SetReadable(true)
		}
		if err != nil {
			log.Print(err)
		}
	})
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: relay LISTEN-ADDRESS TARGET-ADDRESS")
	}
	r := &relay{target: os.Args[2]}
	r.Init(r, nil)
	if err := r.Listen("tcp", os.Args[1]); err != nil {
		log.Fatal(err)
	}
	log.Print("listening on ", r.Addr())
	if err := engine.Loop(); err != nil {
		log.Fatal(err)
	}
}
