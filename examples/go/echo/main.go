// An echo server: go run ./examples/go/echo [ADDRESS]
package main

import (
	"errors"
	"log"
	"os"

	"github.com/goasyncore/goasyncore/engine"
)

type echo struct{ engine.DispatcherWithSend }

func (e *echo) HandleRead() error {
	n, err := e.Recv(e.Map().Buffer())
	if err == nil {
		_, err = e.Send(e.Map().Buffer()[:n])
	}
	return err
}

type server struct{ engine.Dispatcher }

func (s *server) HandleAccepted(sock *engine.Socket, _ engine.Addr) error {
	e := &echo{}
	e.Init(e, s.Map())
	return e.Attach(sock)
}

func main() {
	address := "127.0.0.1:8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	s := &server{}
	s.Init(s, nil)
	err := errors.Join(s.CreateSocket("tcp"), s.SetReuseAddr(), s.Bind(address), s.Listen(128))
	log.Print("listening on ", s.Addr(), err)
	log.Fatal(errors.Join(err, engine.Loop()))
}
