//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Listen and Dial.

package engine

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/socket"
)

// Listen opens a socket that listens on the address, and puts the channel into its map. On the networks udp
// and unixgram the socket receives what is sent to the address. The options are called before the socket
// is bound:
//
//	err := server.Listen("tcp", "localhost:http", (*engine.Socket).SetReusePort)
//
// Names of hosts and services are looked up with package net. A TCP address may be used again at once after
// a restart. If Listen fails, the channel has no socket and is not in a map.
func (d *Dispatcher) Listen(network, address string, options ...func(*Socket) error) error {
	return d.open("listen", network, address, func(s *Socket, at Addr) error {
		if !s.Datagrams() && !strings.HasPrefix(s.Network(), "unix") {
			_ = s.SetReuseAddr() // for restarts; not worth a failure
		}
		for _, set := range options {
			if err := set(s); err != nil {
				return err
			}
		}
		if err := s.Bind(at); err != nil {
			return err
		}
		if !s.Datagrams() {
			if err := s.Listen(unix.SOMAXCONN); err != nil {
				return err
			}
		}
		d.addr, _ = s.LocalAddr() // the system has chosen a port for 0
		return d.SetSocket(s)
	})
}

// Dial opens a socket and begins to connect it to the address. HandleConnect is called when it is
// connected, HandleError when that fails. The options are called before. If Dial fails, the channel has no
// socket and is not in a map.
//
// Names are looked up with package net, which may block the loop for seconds. In a handler, use an IP
// address, or look the name up on another goroutine and return to the loop with [Map.Do].
func (d *Dispatcher) Dial(network, address string, options ...func(*Socket) error) error {
	return d.open("dial", network, address, func(s *Socket, to Addr) error {
		for _, set := range options {
			if err := set(s); err != nil {
				return err
			}
		}
		if err := d.SetSocket(s); err != nil {
			return err
		}
		return d.connect(s, to)
	})
}

// open looks the address up and opens a socket. If use fails, it closes the socket.
func (d *Dispatcher) open(operation, network, address string, use func(*Socket, Addr) error) error {
	if err := d.usable(); err != nil {
		return err
	}
	if d.sock != nil && d.sock.FD() >= 0 {
		return fmt.Errorf("%s %s %s: %v has a socket already", operation, network, address, d)
	}
	network, addr, err := socket.LookUp(network, address)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	s, err := socket.New(network)
	if err == nil {
		if err = use(s, addr); err != nil {
			d.discard(s)
		}
	}
	if err != nil {
		return &net.OpError{Op: operation, Net: network, Addr: addr, Err: err}
	}
	return nil
}

// discard closes the socket after a failure.
func (d *Dispatcher) discard(s *Socket) {
	if d.sock == s {
		d.DelChannel()
		d.sock, d.addr = nil, Addr{}
		d.connected, d.connecting, d.accepting = false, false, false
	}
	_ = s.Close()
}

// Bind gives the socket of CreateSocket an address, before Connect. See [socket.ParseAddr].
func (d *Dispatcher) Bind(address string) error {
	s, err := d.socket("bind")
	if err != nil {
		return err
	}
	at, err := socket.ParseAddr(s.Network(), address)
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := s.Bind(at); err != nil {
		return &net.OpError{Op: "listen", Net: s.Network(), Addr: at, Err: err}
	}
	d.addr, err = s.LocalAddr()
	return err
}

// Connect begins to connect the socket of CreateSocket, as Dial does. It looks no names up: see
// [socket.ParseAddr].
func (d *Dispatcher) Connect(address string) error {
	s, err := d.socket("connect")
	if err != nil {
		return err
	}
	to, err := socket.ParseAddr(s.Network(), address)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if err := d.connect(s, to); err != nil {
		return &net.OpError{Op: "dial", Net: s.Network(), Addr: to, Err: err}
	}
	return nil
}

func (d *Dispatcher) connect(s *Socket, to Addr) error {
	d.connected, d.connecting = false, true
	d.changed()
	err := s.Connect(to)
	var errno unix.Errno
	errors.As(err, &errno)
	switch errno {
	case unix.EINPROGRESS, unix.EALREADY, unix.EAGAIN, unix.EINTR:
		d.addr = to
		return nil
	case unix.EISCONN:
	default:
		if err != nil {
			d.connecting = false
			d.changed()
			return err
		}
	}
	d.addr = to
	return d.connectEvent()
}
