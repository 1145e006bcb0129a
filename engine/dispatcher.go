//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Dispatcher, the channel: its map, its socket, its events.

package engine

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/output"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/socket"
)

// Dispatcher is a channel: an endpoint in a [Map], usually a socket, whose handler is called when something
// happens to it. Embed it in the struct that has the handlers, and call Init first:
//
//	type client struct{ engine.Dispatcher }
//
//	var _ engine.ConnectHandler = (*client)(nil) // the compiler checks name and signature
//
//	func (c *client) HandleConnect() error { ... }
//
//	c := &client{}
//	c.Init(c, nil)
//	err := c.Dial("tcp", "localhost:http")
type Dispatcher struct {
	handler any
	m       *Map
	sock    socket.Endpoint
	out     output.Sender // what it buffers, if it does
	times   *times        // nil until it has an idle timeout or a deadline
	addr    Addr
	fd      int32 // the number in the map, when in there
	flags
}

// flags are a Dispatcher's state.
type flags struct {
	ready      bool // Init was called
	inMap      bool
	connected  bool
	connecting bool
	accepting  bool
	resting    bool // it does not accept for a moment: see acceptFailed
	ended      bool // Recv or Send have called HandleClose
	paused     bool // SetReadable(false)
	chosen     bool // SetWritable was called: wantWrite counts
	wantWrite  bool
	pending    bool // out has something to send
	writes     bool // the handler has HandleWrite
	asksRead   bool // the handler has Readable
	asksWrite  bool // the handler has Writable
}

// Init makes d the channel of a handler, in the map m or, if that is nil, in [DefaultMap]. The
// channel has no socket yet.
//
// It returns an error if the handler has a method with a handler's name and another signature, because the
// loop would never call that. Every method that gives the channel a socket returns this error too.
func (d *Dispatcher) Init(handler any, m *Map) error {
	if m == nil {
		m = defaultMap
	}
	d.handler, d.m, d.ready = handler, m, true
	_, d.writes = handler.(WriteHandler)
	_, d.asksRead = handler.(ReadPredicate)
	_, d.asksWrite = handler.(WritePredicate)
	return checkHandler(handler)
}

// usable returns nil if Init was called and returned nil.
func (d *Dispatcher) usable() error {
	if !d.ready {
		return ErrNoInit
	}
	return checkHandler(d.handler)
}

// Handler returns the handler, the argument of Init.
func (d *Dispatcher) Handler() any { return d.handler }

// Map returns the channel's map. It panics if Init was not called.
func (d *Dispatcher) Map() *Map {
	if !d.ready {
		panic(ErrNoInit)
	}
	return d.m
}

// Endpoint returns what the channel reads from and writes to; nil at first.
func (d *Dispatcher) Endpoint() socket.Endpoint { return d.sock }

// Socket returns the Endpoint if that is a socket, else nil.
func (d *Dispatcher) Socket() *Socket {
	s, _ := d.sock.(*Socket)
	return s
}

// Connected reports whether the channel is connected.
func (d *Dispatcher) Connected() bool { return d.connected }

// Connecting reports whether Connect or Dial was called and has not ended.
func (d *Dispatcher) Connecting() bool { return d.connecting }

// Accepting reports whether the channel listens.
func (d *Dispatcher) Accepting() bool { return d.accepting }

// Addr returns the channel's own address if it listens or is bound, else the address of the other end.
func (d *Dispatcher) Addr() Addr { return d.addr }

// String returns the type of the handler, the state and the address.
func (d *Dispatcher) String() string {
	state := ""
	switch {
	case d.accepting && d.addr.IsValid():
		state = " listening"
	case d.connected:
		state = " connected"
	}
	address := ""
	if d.addr.IsValid() {
		address = " " + d.addr.String()
	}
	return fmt.Sprintf("<%T%s%s at %p>", d.handler, state, address, unsafe.Pointer(d))
}

// CreateSocket opens a socket and puts the channel into its map, for Bind or Connect. See [socket.New]
// for the networks.
func (d *Dispatcher) CreateSocket(network string) error {
	if err := d.usable(); err != nil {
		return err
	}
	sock, err := socket.New(network)
	if err != nil {
		return err
	}
	if err := d.SetSocket(sock); err != nil {
		return errors.Join(err, sock.Close())
	}
	return nil
}

// SetSocket gives the channel sock, which it owns from then on, and puts the channel into its map. The
// channel accepts connections if sock listens.
func (d *Dispatcher) SetSocket(sock socket.Endpoint) error {
	if err := d.usable(); err != nil {
		return err
	}
	d.sock, d.ended = sock, false
	if s, ok := sock.(*Socket); ok {
		s.Owner = d
		if s.Listening() {
			d.accepting = true
			d.addr, _ = s.LocalAddr() // only for the description
		}
	}
	return d.AddChannel()
}

// Attach is SetSocket for a connection, such as an accepted or an adopted socket: the channel is connected
// if the socket is.
func (d *Dispatcher) Attach(sock socket.Endpoint) error {
	if err := d.SetSocket(sock); err != nil {
		return err
	}
	d.connected = true
	if s, ok := sock.(*Socket); ok {
		peer, err := s.PeerAddr()
		if errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.EINVAL) {
			d.connected, err = false, nil
		}
		if err != nil {
			d.connected = false
			d.DelChannel()
			return err
		}
		if peer.IsValid() || !d.accepting {
			d.addr = peer
		}
	}
	return nil
}

// AddChannel puts the channel into its map, under the number of its descriptor. It replaces a channel that
// has this number.
func (d *Dispatcher) AddChannel() error {
	if err := d.usable(); err != nil {
		return err
	}
	if d.sock == nil {
		return noSocket("add")
	}
	return d.m.add(d, d.sock.FD())
}

// DelChannel removes the channel from its map, if it is there.
func (d *Dispatcher) DelChannel() {
	if d.inMap {
		d.m.remove(d)
	}
}

// changed makes the loop find out again what the channel waits for.
func (d *Dispatcher) changed() {
	if d.inMap {
		d.m.mark(d.fd)
	}
}

// SetReadable sets whether the channel waits to read. While it does not, data stays in the system's buffers,
// and the sender has to wait when these are full. Unlike Readable, this costs nothing in a pass.
func (d *Dispatcher) SetReadable(wants bool) {
	if d.paused == wants {
		d.paused = !wants
		d.changed()
	}
}

// SetWritable sets whether the channel waits to write. While it connects, and while something is buffered,
// it always does. Unlike Writable, this costs nothing in a pass.
func (d *Dispatcher) SetWritable(wants bool) {
	if !d.chosen || d.wantWrite != wants {
		d.chosen, d.wantWrite = true, wants
		d.changed()
	}
}

func init() {
	output.Set = func(d any, s output.Sender) { d.(*Dispatcher).out = s }
	output.Pending = func(d any, pending bool) { d.(*Dispatcher).setPending(pending) }
}

// setPending sets whether out has something to send.
func (d *Dispatcher) setPending(pending bool) {
	if d.pending != pending {
		d.pending = pending
		d.changed()
	}
}

// own reports whether the handler has a predicate, which is called in each pass.
func (d *Dispatcher) own() bool { return d.asksRead || d.asksWrite }

// want returns what the channel waits for.
func (d *Dispatcher) want() (want poller.Events) {
	readable := !d.paused
	if d.asksRead {
		readable = d.handler.(ReadPredicate).Readable()
	}
	writable := d.writes
	switch {
	case d.asksWrite:
		writable = d.handler.(WritePredicate).Writable()
	case d.chosen:
		writable = d.wantWrite
	}
	if readable && !d.resting {
		want = poller.Read
	}
	if (writable || d.connecting || d.pending) && !d.accepting {
		want |= poller.Write
	}
	return want
}
