package chat_test

import (
	"bytes"
	"fmt"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/engine/chat"
)

// shouter answers each line in capitals.
type shouter struct {
	chat.Channel
	line []byte
}

func (s *shouter) CollectIncomingData(data []byte) error {
	s.line = append(s.line, data...)
	return nil
}

func (s *shouter) FoundTerminator() error {
	defer func() { s.line = s.line[:0] }()
	return s.Push(append(bytes.ToUpper(s.line), '\n'))
}

type server struct{ engine.Dispatcher }

func (s *server) HandleAccepted(sock *engine.Socket, _ engine.Addr) error {
	c := &shouter{}
	c.Init(c, s.Map())
	c.SetTerminator(chat.Until("\n"))
	return c.Attach(sock)
}

// asker asks two things, and prints the answers.
type asker struct{ chat.Channel }

func (a *asker) HandleConnect() error { return a.Push([]byte("one line\nanother\n")) }

func (a *asker) CollectIncomingData(data []byte) error {
	fmt.Printf("%s\n", data)
	if string(data) == "ANOTHER" {
		return engine.ErrExitNow
	}
	return nil
}

func (a *asker) FoundTerminator() error { return nil }

func Example() {
	m := engine.NewMap()
	defer m.Close()
	s := &server{}
	s.Init(s, m)
	if err := s.Listen("tcp", "localhost:0"); err != nil {
		fmt.Println(err)
		return
	}
	a := &asker{}
	a.Init(a, m)
	a.SetTerminator(chat.Until("\n"))
	if err := a.Dial("tcp", s.Addr().String()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Loop())
	m.CloseAll()
	// Output:
	// ONE LINE
	// ANOTHER
	// engine: exit now
}

func ExampleTerminator_Search() {
	t := chat.Until("\r\n")
	fmt.Println(t.Search([]byte("a line\r\n"), 0))
	_, begun := t.Search([]byte("another\r"), 0)
	fmt.Println(t.Search([]byte("\r\n"), begun)) // the \r is the one from before
	// Output:
	// 6 0
	// 0 0
}

func ExampleSimpleProducer() {
	p := chat.NewSimpleProducer([]byte("abcdefgh"), 3)
	for {
		piece, _ := p.More()
		if len(piece) == 0 {
			break
		}
		fmt.Printf("%s ", piece)
	}
	// Output: abc def gh
}

func ExampleReaderProducer() {
	p := chat.NewReaderProducer(bytes.NewReader([]byte("abcdefgh")), 5)
	piece, err := p.More()
	fmt.Printf("%s %v\n", piece, err)
	// Output: abcde <nil>
}
