// An echo server: go run ./examples/go/echo [ADDRESS]
package main

import (
	"log"
	"os"

	"github.com/goasyncore/goasyncore/engine"
)

type echo struct{ engine.DispatcherWithSend }

var (
	_ engine.ReadHandler     = (*echo)(nil)
	_ engine.AcceptedHandler = (*echo)(nil)
)

func (e *echo) HandleRead() error {
	n, err := e.Recv(e.Map().Buffer())
	if err != nil {
		return err
	}
	_, err = e.Send(e.Map().Buffer()[:n])
	return err
}

func (e *echo) HandleAccepted(sock *engine.Socket, _ engine.Addr) error {
	client := &echo{}
	client.Init(client, e.Map())
	return client.Attach(sock)
}

func main() {
	address := "localhost:8080"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	server := &echo{}
	server.Init(server, nil)
	if err := server.Listen("tcp", address); err != nil {
		log.Fatal(err)
	}
	log.Print("listening on ", server.Addr())
	if err := engine.Loop(); err != nil {
		log.Fatal(err)
	}
}
