// An echo server: go run ./examples/go/echo
package main

import (
	"errors"
	"log"

	"github.com/goasyncore/goasyncore/engine"
)

type echo struct{ engine.DispatcherWithSend }

func (e *echo) HandleRead() error {
	n, err := e.Recv(e.Map().Buffer())
	_, failed := e.Send(e.Map().Buffer()[:n])
	return errors.Join(err, failed)
}

func (e *echo) HandleAccepted(sock *engine.Socket, _ engine.Addr) error {
	client := &echo{}
	client.Init(client, e.Map())
	return client.Attach(sock)
}

func main() {
	server := &echo{}
	server.Init(server, nil)
	err := errors.Join(server.CreateSocket("tcp"), server.SetReuseAddr(), server.Bind("localhost:8080"), server.Listen(128))
	log.Fatal(errors.Join(err, engine.Loop()))
}
