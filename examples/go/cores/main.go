// An echo server on all cores: go run ./examples/go/cores [ADDRESS [LOOPS]]
//
// Each loop has a map and a goroutine of its own, and a socket that listens on the same address: the
// system divides the connections among them. A channel stays in the loop that accepted it, so that
// nothing is shared, and nothing needs a lock.
package main

import (
	"log"
	"os"
	"runtime"
	"strconv"

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
	address, loops := "127.0.0.1:8080", runtime.NumCPU()
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	if len(os.Args) > 2 {
		n, err := strconv.Atoi(os.Args[2])
		if err != nil || n < 1 {
			log.Fatal("usage: cores [ADDRESS [LOOPS]]")
		}
		loops = n
	}
	events := make(chan error, 2*loops) // nil when a loop runs, and what it returns when it has ended
	for range loops {
		server := &echo{}
		server.Init(server, engine.NewMap())
		if err := server.Listen("tcp", address, (*engine.Socket).SetReusePort); err != nil {
			log.Fatal(err)
		}
		address = server.Addr().String() // the others need the port that the first one got
		server.Map().Do(func() { events <- nil })
		go func() { events <- server.Map().Loop() }()
	}
	for range loops { // each has what it needs before clients use up the descriptors
		if err := <-events; err != nil {
			log.Fatal(err)
		}
	}
	log.Print("listening on ", address)
	log.Fatal(<-events)
}
