package engine

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Dispatcher is a channel: it stands in a [Map] for an [Endpoint], usually a socket, and tells its
// handler what happens there. Embed it in the struct that has the handlers, and call Init first:
//
//	type client struct{ engine.Dispatcher }
//
//	func (c *client) HandleConnect() error { ... }
//
//	c := &client{}
//	c.Init(c, nil)
//	err := errors.Join(c.CreateSocket("tcp"), c.Connect("127.0.0.1:80"))
type Dispatcher struct {
	handler any
	m       *Map
	sock    Endpoint
	addr    Addr
	fd      int32 // the number in the map, when in there
	flags
}

// flags are a Dispatcher's state.
type flags struct {
	inMap      bool
	connected  bool
	connecting bool
	accepting  bool
	paused     bool // SetReadable(false)
	chosen     bool // SetWritable was called: wantWrite counts
	wantWrite  bool
	writes     bool // the handler has HandleWrite
	asksRead   bool // the handler has Readable
	asksWrite  bool // the handler has Writable
}

// Init makes d the channel of a handler, in the map m or, if that is nil, in [DefaultMap]. The
// channel has no socket yet.
func (d *Dispatcher) Init(handler any, m *Map) {
	d.handler, d.m = handler, m
	_, d.writes = handler.(WriteHandler)
	_, d.asksRead = handler.(ReadPredicate)
	_, d.asksWrite = handler.(WritePredicate)
}

// Handler is what Init got.
func (d *Dispatcher) Handler() any { return d.handler }

// Map is the channel's map.
func (d *Dispatcher) Map() *Map {
	if d.m == nil {
		return defaultMap
	}
	return d.m
}

// Endpoint is what the channel reads and writes through, nil before there is one.
func (d *Dispatcher) Endpoint() Endpoint { return d.sock }

// Socket is the Endpoint if that is a socket, else nil.
func (d *Dispatcher) Socket() *Socket {
	s, _ := d.sock.(*Socket)
	return s
}

// Connected says whether the channel is connected.
func (d *Dispatcher) Connected() bool { return d.connected }

// Connecting says whether Connect was called and has not come to an end.
func (d *Dispatcher) Connecting() bool { return d.connecting }

// Accepting says whether the channel listens.
func (d *Dispatcher) Accepting() bool { return d.accepting }

// Addr is the address that Bind or Connect got, or else the other end's.
func (d *Dispatcher) Addr() Addr { return d.addr }

// String describes the channel: its handler, state, address and identity.
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

// CreateSocket opens a socket and puts the channel into its map. See [NewSocket] for the networks.
func (d *Dispatcher) CreateSocket(network string) error {
	sock, err := NewSocket(network)
	if err != nil {
		return err
	}
	if err := d.SetSocket(sock); err != nil {
		return errors.Join(err, sock.Close())
	}
	return nil
}

// SetSocket takes sock, which is then the channel's to close, and puts the channel into its map.
func (d *Dispatcher) SetSocket(sock Endpoint) error {
	d.sock = sock
	if s, ok := sock.(*Socket); ok && s.listening {
		d.accepting = true
	}
	return d.AddChannel()
}

// Attach takes a connection: an accepted socket, an adopted one. It is SetSocket, and the channel
// is connected if the socket is.
func (d *Dispatcher) Attach(sock Endpoint) error {
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
		d.addr = peer
	}
	return nil
}

// AddChannel puts the channel into its map, under its descriptor's number and in the place of
// whatever was there.
func (d *Dispatcher) AddChannel() error {
	if d.sock == nil {
		return badFD("add")
	}
	return d.Map().add(d, d.sock.FD())
}

// DelChannel takes the channel out of its map, if it is there.
func (d *Dispatcher) DelChannel() {
	if d.inMap {
		d.Map().remove(d)
	}
}

// changed has the loop ask again what the channel waits for. Without it the channel costs nothing.
func (d *Dispatcher) changed() {
	if d.inMap {
		d.Map().mark(d.fd)
	}
}

// SetReadable says whether the channel waits to read from now on. What arrives meanwhile stays
// where it is, so that the sender has to wait: a Readable for nothing.
func (d *Dispatcher) SetReadable(wants bool) {
	if d.paused == wants {
		d.paused = !wants
		d.changed()
	}
}

// SetWritable says whether the channel waits to write from now on, apart from the time until it is
// connected, when it always does: a Writable for nothing.
func (d *Dispatcher) SetWritable(wants bool) {
	if !d.chosen || d.wantWrite != wants {
		d.chosen, d.wantWrite = true, wants
		d.changed()
	}
}

// own says whether the channel has a predicate of its own, to be asked in each pass.
func (d *Dispatcher) own() bool { return d.asksRead || d.asksWrite }

// want is what the channel waits for.
func (d *Dispatcher) want() (want Events) {
	readable := !d.paused
	if d.asksRead {
		readable = d.handler.(ReadPredicate).Readable()
	}
	writable := d.writes || d.connecting
	switch {
	case d.asksWrite:
		writable = d.handler.(WritePredicate).Writable()
	case d.chosen:
		writable = d.wantWrite || !d.connected
	}
	if readable {
		want = Read
	}
	if writable && !d.accepting {
		want |= Write
	}
	return want
}
