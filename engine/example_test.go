package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/goasyncore/goasyncore/engine"

	"github.com/goasyncore/goasyncore/engine/socket"
)

// echo sends back what it receives, and makes an echo of each connection that it accepts.
type echo struct{ engine.DispatcherWithSend }

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

// client says something, and ends the loop when it has been answered.
type client struct{ engine.Dispatcher }

func (c *client) HandleConnect() error {
	_, err := c.Send([]byte("hello"))
	return err
}

func (c *client) HandleRead() error {
	n, err := c.Recv(c.Map().Buffer())
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", c.Map().Buffer()[:n])
	return engine.ErrExitNow
}

func ExampleDispatcherWithSend() {
	m := engine.NewMap()
	defer m.Close()
	defer m.CloseAll()

	server := &echo{}
	server.Init(server, m)
	if err := server.Listen("tcp", "localhost:0"); err != nil {
		fmt.Println(err)
		return
	}
	c := &client{}
	c.Init(c, m)
	if err := c.Dial("tcp", server.Addr().String()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(engine.Loop(engine.WithMap(m)))
	// Output:
	// hello
	// engine: exit now
}

// greeter is a Dispatcher without a buffer of its own.
type greeter struct{ engine.Dispatcher }

func (g *greeter) HandleAccepted(sock *engine.Socket, _ engine.Addr) error {
	defer sock.Close()
	_, err := sock.Send([]byte("go away"))
	return err
}

func ExampleDispatcher() {
	g := &greeter{}
	g.Init(g, engine.NewMap())
	defer g.Map().Close()
	if err := g.Listen("tcp", "localhost:0"); err != nil {
		fmt.Println(err)
		return
	}
	c := &client{}
	c.Init(c, g.Map())
	if err := c.Dial("tcp", g.Addr().String()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(g.Map().Loop())
	g.Map().CloseAll()
	// Output:
	// go away
	// engine: exit now
}

// copier writes what it reads from one file to another.
type copier struct {
	engine.FileDispatcher
	to *socket.FileWrapper
}

func (c *copier) HandleRead() error {
	n, err := c.Recv(c.Map().Buffer())
	if err != nil {
		return err
	}
	_, err = c.to.Send(c.Map().Buffer()[:n])
	return err
}

func ExampleFileDispatcher() {
	r, w, _ := os.Pipe()
	to, _ := socket.NewFileWrapper(int(os.Stdout.Fd()))
	c := &copier{to: to}
	c.Init(c, engine.NewMap())
	defer c.Map().Close()
	if err := c.SetFile(int(r.Fd())); err != nil {
		fmt.Println(err)
	}
	w.WriteString("through the pipe\n")
	w.Close()
	fmt.Println(c.Map().Loop()) // until the end of the pipe closes the channel
	fmt.Println(to.Close())
	// Output:
	// through the pipe
	// <nil>
	// <nil>
}

func ExampleFileWrapper() {
	r, w, _ := os.Pipe()
	in, _ := socket.NewFileWrapper(int(r.Fd()))
	r.Close() // in has a descriptor of its own
	w.WriteString("wrapped")
	buffer := make([]byte, 100)
	n, err := in.Recv(buffer)
	fmt.Printf("%s %v\n", buffer[:n], err)
	in.Close()
	w.Close()
	// Output: wrapped <nil>
}

func ExampleAdopt() {
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	address := listener.Addr().String()
	sock, err := socket.Adopt(listener)
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &echo{}
	server.Init(server, engine.NewMap())
	defer server.Map().Close()
	if err := server.SetSocket(sock); err != nil {
		fmt.Println(err)
		return
	}

	conn, _ := net.Dial("tcp", address)
	adopted, err := socket.Adopt(conn)
	if err != nil {
		fmt.Println(err)
		return
	}
	adopted.Send([]byte("hello"))
	c := &client{}
	c.Init(c, server.Map())
	if err := c.Attach(adopted); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Map().Loop())
	server.Map().CloseAll()
	// Output:
	// hello
	// engine: exit now
}

func ExampleMap_Do() {
	m := engine.NewMap()
	defer m.Close()
	server := &echo{}
	server.Init(server, m)
	if err := server.Listen("tcp", "127.0.0.1:0"); err != nil {
		fmt.Println(err)
	}
	go m.Do(func() { // from another goroutine, in the loop's
		fmt.Println("closing", m.Len(), "channel")
		m.CloseAll()
	})
	fmt.Println(m.Loop())
	// Output:
	// closing 1 channel
	// <nil>
}

// patient waits for something that another goroutine decides.
type patient struct {
	engine.Dispatcher
	enough chan bool
}

func (p *patient) Readable() bool {
	select {
	case <-p.enough:
		p.Map().CloseAll()
	default:
	}
	return true
}

func ExampleMap_Wake() {
	p := &patient{enough: make(chan bool, 1)}
	p.Init(p, engine.NewMap())
	defer p.Map().Close()
	if err := p.Listen("udp", "localhost:0"); err != nil {
		fmt.Println(err)
	}
	go func() {
		p.enough <- true
		p.Map().Wake() // so that Readable is asked before the timeout
	}()
	fmt.Println(p.Map().Loop(engine.WithTimeout(-1)))
	// Output: <nil>
}

func ExampleWithContext() {
	server := &echo{}
	server.Init(server, engine.NewMap())
	defer server.Map().Close()
	if err := server.Listen("tcp", "127.0.0.1:0"); err != nil {
		fmt.Println(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	fmt.Println(server.Map().Loop(engine.WithContext(ctx)))
	fmt.Println(server.Map().CloseAll())
	// Output:
	// context deadline exceeded
	// <nil>
}

// careless has a handler that panics.
type careless struct {
	engine.Dispatcher
	answers map[string]string
}

func (c *careless) HandleWrite() error {
	c.answers["x"] = "y"
	return nil
}

func (c *careless) HandleError(err error) error {
	var p *engine.PanicError
	fmt.Println(err, errors.As(err, &p))
	return c.Close()
}

func ExamplePanicError() {
	c := &careless{}
	c.Init(c, engine.NewMap())
	defer c.Map().Close()
	fmt.Println(c.CreateSocket("udp"))
	fmt.Println(c.Map().Loop())
	// Output:
	// <nil>
	// panic: assignment to entry in nil map true
	// <nil>
}
