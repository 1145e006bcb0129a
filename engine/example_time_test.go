package engine_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/goasyncore/goasyncore/engine"

	"github.com/goasyncore/goasyncore/engine/socket"
)

// polite says goodbye to a client that is silent for too long.
type polite struct{ engine.DispatcherWithSend }

var _ engine.TimeoutHandler = (*polite)(nil)

func (p *polite) HandleTimeout() error {
	if _, err := p.Send([]byte("too late")); err != nil {
		return err
	}
	return p.Close()
}

func ExampleDispatcher_SetIdleTimeout() {
	near, far, err := socket.NewPair()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer far.Close()
	p := &polite{}
	p.Init(p, engine.NewMap())
	defer p.Map().Close()
	p.SetIdleTimeout(10 * time.Millisecond)    // since something was last received or sent
	p.SetDeadline(time.Now().Add(time.Minute)) // however busy it is
	if err := p.Attach(near); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Map().Loop())
	buffer := make([]byte, 100)
	n, err := far.Recv(buffer)
	fmt.Printf("%s %v\n", buffer[:n], err)
	// Output:
	// <nil>
	// too late <nil>
}

func ExampleMap_AfterFunc() {
	server := &echo{}
	server.Init(server, engine.NewMap())
	m := server.Map()
	defer m.Close()
	if err := server.Listen("tcp", "localhost:0"); err != nil {
		fmt.Println(err)
		return
	}
	never := m.AfterFunc(time.Millisecond, func() { fmt.Println("never") })
	ticks := 0
	var tick func()
	tick = func() {
		if ticks++; ticks == 3 {
			fmt.Println("closing", m.Len(), "channel")
			m.CloseAll()
			return
		}
		m.AfterFunc(time.Millisecond, tick)
	}
	tick()
	fmt.Println(never.Stop(), never.Stop())
	fmt.Println(m.Loop())
	// Output:
	// true false
	// closing 1 channel
	// <nil>
}

func ExampleMap_SetLogger() {
	m := engine.NewMap()
	defer m.Close()
	m.SetLogger(slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "channel" { // not the same each time
				return slog.Attr{}
			}
			return a
		},
	})))
	c := &client{}
	c.Init(c, m)
	near, far, err := socket.NewPair()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer far.Close()
	if err := c.Attach(near); err != nil {
		fmt.Println(err)
		return
	}
	f := &failing{}
	f.Init(f, m)
	if err := f.Attach(far); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Loop(engine.WithCount(1)))
	// Output:
	// level=ERROR msg="uncaught error, closing channel" error="no idea what to write"
	// <nil>
}

// failing has nothing to write.
type failing struct{ engine.Dispatcher }

func (f *failing) HandleWrite() error { return errors.New("no idea what to write") }
