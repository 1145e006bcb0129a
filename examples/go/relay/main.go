// A TCP relay: go run ./examples/go/relay LISTEN-ADDRESS TARGET-ADDRESS
//
// Each side stops reading while the other has much to send, so that a slow receiver slows down its
// sender instead of filling the memory.
package main

import (
	"errors"
	"log"
	"os"

	"github.com/goasyncore/goasyncore/engine"
)

const much = 1 << 20 // bytes

// side is one of the two connections of a relayed one.
type side struct {
	engine.DispatcherWithSend
	other *side
}

func (s *side) HandleRead() error {
	n, err := s.Recv(s.Map().Buffer())
	if err != nil || n == 0 {
		return err
	}
	_, err = s.other.Send(s.Map().Buffer()[:n])
	s.SetReadable(s.other.Buffered() < much)
	return err
}

func (s *side) HandleWrite() error {
	err := s.DispatcherWithSend.HandleWrite()
	s.other.SetReadable(s.Buffered() < much)
	if s.other.Endpoint().FD() < 0 && s.Buffered() == 0 {
		return errors.Join(err, s.Close())
	}
	return err
}

// HandleClose closes the other side too, once that has sent what it has.
func (s *side) HandleClose() error {
	err := s.Close()
	if s.other.Buffered() == 0 {
		return errors.Join(err, s.other.Close())
	}
	s.other.SetReadable(false)
	return err
}

type relay struct {
	engine.Dispatcher
	target string
}

func (r *relay) HandleAccepted(sock *engine.Socket, _ engine.Addr) error {
	near, far := &side{}, &side{}
	near.other, far.other = far, near
	near.Init(near, r.Map())
	far.Init(far, r.Map())
	return errors.Join(near.Attach(sock), far.CreateSocket("tcp"), far.Connect(r.target))
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: relay LISTEN-ADDRESS TARGET-ADDRESS")
	}
	r := &relay{target: os.Args[2]}
	r.Init(r, nil)
	err := errors.Join(r.CreateSocket("tcp"), r.SetReuseAddr(), r.Bind(os.Args[1]), r.Listen(128))
	if err != nil {
		log.Fatal(err)
	}
	at, err := r.Socket().LocalAddr()
	log.Print("listening on ", at)
	log.Fatal(errors.Join(err, engine.Loop()))
}
