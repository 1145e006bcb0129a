// A server of commands in lines: go run ./examples/go/lines [ADDRESS]
//
// TIME answers with the time, ECHO with what follows it, and QUIT ends the session.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/engine/chat"
)

type session struct {
	chat.Channel
	line strings.Builder
}

func (s *session) CollectIncomingData(data []byte) error {
	s.line.Write(data)
	return nil
}

func (s *session) FoundTerminator() error {
	command, rest, _ := strings.Cut(s.line.String(), " ")
	s.line.Reset()
	switch strings.ToUpper(command) {
	case "TIME":
		return s.answer(time.Now().Format(time.RFC3339))
	case "ECHO":
		return s.answer(rest)
	case "QUIT":
		defer s.CloseWhenDone()
		return s.answer("bye")
	}
	return s.answer("what is " + command + "?")
}

func (s *session) answer(text string) error { return s.Push([]byte(text + "\r\n")) }

type server struct{ engine.Dispatcher }

func (s *server) HandleAccepted(sock *engine.Socket, from engine.Addr) error {
	log.Print(from, " is here")
	c := &session{}
	c.Init(c, s.Map())
	c.SetTerminator(chat.Until("\r\n"))
	return c.Attach(sock)
}

func main() {
	address := "127.0.0.1:8023"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	s := &server{}
	s.Init(s, nil)
	err := errors.Join(s.CreateSocket("tcp"), s.SetReuseAddr(), s.Bind(address), s.Listen(128))
	if err != nil {
		log.Fatal(err)
	}
	at, err := s.Socket().LocalAddr()
	log.Print("listening on ", at)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err = errors.Join(err, engine.Loop(engine.WithContext(ctx)))
	log.Print(errors.Join(err, engine.CloseAll(nil)))
}
