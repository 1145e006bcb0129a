// A server of commands in lines: go run ./examples/go/lines [ADDRESS]
//
// TIME is answered with the time, ECHO with what follows it, and QUIT ends the session, as does a
// minute's silence. When it is interrupted, the server accepts nobody any more, and gives the sessions
// some seconds to receive what they are still to be sent.
package main

import (
	"context"
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

var (
	_ chat.Handler          = (*session)(nil)
	_ engine.TimeoutHandler = (*session)(nil)
)

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
		return s.leave("bye")
	}
	return s.answer("what is " + command + "?")
}

func (s *session) HandleTimeout() error { return s.leave("are you still there?") }

func (s *session) answer(text string) error { return s.Push([]byte(text + "\r\n")) }

// leave closes the session when all is sent, and after some seconds in any case.
func (s *session) leave(text string) error {
	defer s.CloseWhenDone()
	s.SetIdleTimeout(0)
	s.Map().AfterFunc(5*time.Second, func() { s.Close() })
	return s.answer(text)
}

type server struct{ engine.Dispatcher }

var _ engine.AcceptedHandler = (*server)(nil)

func (s *server) HandleAccepted(sock *engine.Socket, from engine.Addr) error {
	log.Print(from, " is here")
	c := &session{}
	c.Init(c, s.Map())
	c.SetTerminator(chat.Until("\r\n"))
	c.SetIdleTimeout(time.Minute)
	return c.Attach(sock)
}

func main() {
	address := "127.0.0.1:8023"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	s := &server{}
	s.Init(s, nil)
	if err := s.Listen("tcp", address); err != nil {
		log.Fatal(err)
	}
	log.Print("listening on ", s.Addr())

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := engine.Loop(engine.WithContext(ctx))
	log.Print("the end: ", err)
	if ctx.Err() == nil {
		os.Exit(1)
	}
	if err := drain(s); err != nil {
		log.Fatal(err)
	}
	log.Print("that was all")
}

// drain closes the listening channel, has the sessions end, and serves them until they have.
func drain(s *server) error {
	if err := s.Close(); err != nil {
		return err
	}
	for _, d := range s.Map().Channels() {
		if c, ok := d.Handler().(*session); ok {
			if err := c.leave("the server ends"); err != nil {
				log.Print(c, ": ", err)
			}
		}
	}
	return engine.Loop()
}
