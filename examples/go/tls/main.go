// An echo server behind TLS: go run ./examples/go/tls ADDRESS CERTIFICATE KEY
//
// The package crypto/tls wants a net.Conn that blocks, so it cannot run in the loop. Here two goroutines a
// connection do the encryption, and hand the plain bytes over through a pair of sockets. The channel in the
// loop is one like any other, and what it does not take holds the client back, and the other way round.
package main

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"os"

	"github.com/goasyncore/goasyncore/engine"

	"github.com/goasyncore/goasyncore/engine/socket"
)

type echo struct{ engine.DispatcherWithSend }

var _ engine.ReadHandler = (*echo)(nil)

func (e *echo) HandleRead() error {
	n, err := e.Recv(e.Map().Buffer())
	if err != nil {
		return err
	}
	_, err = e.Send(e.Map().Buffer()[:n])
	return err
}

type server struct {
	engine.Dispatcher
	config *tls.Config
}

var _ engine.AcceptedHandler = (*server)(nil)

func (s *server) HandleAccepted(sock *engine.Socket, from engine.Addr) error {
	near, far, err := socket.NewPair()
	if err != nil {
		return err
	}
	plain, err := far.Conn()
	if err != nil {
		return errors.Join(err, near.Close(), far.Close())
	}
	conn, err := sock.Conn()
	if err != nil {
		return errors.Join(err, near.Close(), plain.Close())
	}
	go func() {
		if err := encrypt(tls.Server(conn, s.config), plain.(*net.UnixConn)); err != nil {
			log.Print(from, ": ", err)
		}
	}()
	e := &echo{}
	e.Init(e, s.Map())
	return e.Attach(near)
}

// encrypt copies in both directions until both have ended.
func encrypt(conn *tls.Conn, plain *net.UnixConn) error {
	defer conn.Close()
	defer plain.Close()
	if err := conn.Handshake(); err != nil {
		return err
	}
	received := make(chan error, 1)
	go func() {
		_, err := io.Copy(plain, conn)
		received <- errors.Join(err, plain.CloseWrite())
	}()
	_, err := io.Copy(conn, plain)
	return errors.Join(err, conn.CloseWrite(), <-received)
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: tls ADDRESS CERTIFICATE KEY")
	}
	certificate, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	s := &server{config: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	s.Init(s, nil)
	if err := s.Listen("tcp", os.Args[1]); err != nil {
		log.Fatal(err)
	}
	log.Print("listening on ", s.Addr())
	if err := engine.Loop(); err != nil {
		log.Fatal(err)
	}
}
