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

// Dispatcher is a channel: it stands in a [Map] for an endpoint, usually a socket, and tells its
// handler what happens there. Embed it in the struct that has the handlers, and call Init first:
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
// It returns an error if the handler has a method with a handler's name and another signature, which
// the loop would never call. Every attempt to give the channel a socket returns that error too.
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

// usable is nil if Init was called, and had nothing to say against the handler.
func (d *Dispatcher) usable() error {
	if !d.ready {
		return ErrNoInit
	}
	return checkHandler(d.handler)
}

// Handler is what Init got.
func (d *Dispatcher) Handler() any { return d.handler }

// Map is the channel's map. It panics before Init: there is none.
func (d *Dispatcher) Map() *Map {
	if !d.ready {
		panic(ErrNoInit)
	}
	return d.m
}

// Endpoint is what the channel reads and writes through; nil at first.
func (d *Dispatcher) Endpoint() socket.Endpoint { return d.sock }

// Socket is the Endpoint if that is a socket, else nil.
func (d *Dispatcher) Socket() *Socket {
	s, _ := d.sock.(*Socket)
	return s
}

// Connected says whether the channel is connected.
func (d *Dispatcher) Connected() bool { return d.connected }

// Connecting says whether Connect or Dial was called and has not ended.
func (d *Dispatcher) Connecting() bool { return d.connecting }

// Accepting says whether the channel listens.
func (d *Dispatcher) Accepting() bool { return d.accepting }

// Addr is the channel's own address if it listens or is bound, or else the other end's.
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

// SetSocket makes sock the channel's, to close as well, and puts the channel into its map. The
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

// Attach makes a connection the channel's: an accepted socket, an adopted one. It is SetSocket, and the
// channel is connected if the socket is.
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

// AddChannel puts the channel into its map, under its descriptor's number and in the place of
// whatever was there.
func (d *Dispatcher) AddChannel() error {
	if err := d.usable(); err != nil {
		return err
	}
	if d.sock == nil {
		return noSocket("add")
	}
	return d.m.add(d, d.sock.FD())
}

// DelChannel takes the channel out of its map, if it is there.
func (d *Dispatcher) DelChannel() {
	if d.inMap {
		d.m.remove(d)
	}
}

// changed has the loop look again at what the channel waits for.
func (d *Dispatcher) changed() {
	if d.inMap {
		d.m.mark(d.fd)
	}
}

// SetReadable says whether the channel waits to read from now on. What arrives meanwhile stays
// where it is, so that the sender has to wait. Unlike Readable, it costs nothing in a pass.
func (d *Dispatcher) SetReadable(wants bool) {
	if d.paused == wants {
		d.paused = !wants
		d.changed()
	}
}

// SetWritable says whether the channel waits to write from now on. While it connects, and while
// something is buffered, it always does. Unlike Writable, it costs nothing in a pass.
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

// setPending says whether out has something to send.
func (d *Dispatcher) setPending(pending bool) {
	if d.pending != pending {
		d.pending = pending
		d.changed()
	}
}

// own says whether the handler has a predicate, which is called in each pass.
func (d *Dispatcher) own() bool { return d.asksRead || d.asksWrite }

// want is what the channel waits for.
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
