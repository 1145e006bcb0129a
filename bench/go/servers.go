package main

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/panjf2000/gnet/v2"
	"github.com/tidwall/evio"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
)

// listening is what a server prints before its address.
const listening = "LISTENING"

// servers are the echo servers.
var servers = map[string]func() error{
	"engine": serveEngine,
	"epoll":  serveEpoll,
	"gnet":   serveGnet,
	"evio":   serveEvio,
	"net":    serveNet,
}

// echo is the engine's.
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

func serveEngine() error {
	s := &echo{}
	s.Init(s, nil)
	if err := s.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	fmt.Println(listening, s.Addr())
	return engine.Loop()
}

// serveEpoll is what no library can undercut: one read and one write a message, nothing else.
func serveEpoll() error {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	err = errors.Join(unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(listener, 4096))
	if err != nil {
		return err
	}
	at, err := unix.Getsockname(listener)
	if err != nil {
		return err
	}
	set, err := unix.EpollCreate1(0)
	if err != nil {
		return err
	}
	add := func(fd int) error {
		return unix.EpollCtl(set, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
	}
	if err := add(listener); err != nil {
		return err
	}
	fmt.Printf("%s 127.0.0.1:%d\n", listening, at.(*unix.SockaddrInet4).Port)
	return echoForEver(set, listener, add)
}

func serveNet() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listening, listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			buffer := make([]byte, 4096)
			for {
				n, err := conn.Read(buffer)
				if err != nil {
					return
				}
				if _, err := conn.Write(buffer[:n]); err != nil {
					return
				}
			}
		}()
	}
}

// freePort is one that nobody has just now; gnet and evio cannot say which one they got.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

type gnetEcho struct {
	gnet.BuiltinEventEngine
	address string
}

func (g *gnetEcho) OnBoot(gnet.Engine) gnet.Action {
	fmt.Println(listening, g.address)
	return gnet.None
}

func (g *gnetEcho) OnTraffic(c gnet.Conn) gnet.Action {
	data, err := c.Next(-1)
	if err != nil {
		return gnet.Close
	}
	if _, err := c.Write(data); err != nil {
		return gnet.Close
	}
	return gnet.None
}

func serveGnet() error {
	address, err := freePort()
	if err != nil {
		return err
	}
	return gnet.Run(&gnetEcho{address: address}, "tcp://"+address, gnet.WithMulticore(false), gnet.WithNumEventLoop(1))
}

func serveEvio() error {
	address, err := freePort()
	if err != nil {
		return err
	}
	return evio.Serve(evio.Events{
		NumLoops: 1,
		Serving:  func(evio.Server) evio.Action { fmt.Println(listening, address); return evio.None },
		Data:     func(_ evio.Conn, in []byte) ([]byte, evio.Action) { return in, evio.None },
		Tick:     func() (time.Duration, evio.Action) { return time.Hour, evio.None },
	}, "tcp://"+address)
}
