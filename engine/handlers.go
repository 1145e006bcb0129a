//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// The interfaces that a handler may implement.

package engine

import (
	"errors"
	"io"
	"net"

	"github.com/goasyncore/goasyncore/engine/poller"
)

// A handler is the argument of Init, usually the struct in which the Dispatcher is embedded. It implements
// any of the following interfaces. The loop calls their methods on its own goroutine. If one of them
// returns [ErrExitNow], the loop ends. A handler may return the errors by which Recv, Send and Accept
// report that there is nothing more, or that the connection has ended: see [Dispatcher.Recv]. Another
// error, or a panic (see [PanicError]), goes to HandleError.
type (
	// A ReadHandler is called when there is something to Recv, or when the stream has ended. It has
	// to call Recv, or it is called again in each pass. By default nothing happens.
	ReadHandler interface{ HandleRead() error }

	// A WriteHandler is called when there is room to Send. By default nothing happens.
	WriteHandler interface{ HandleWrite() error }

	// A PriorityHandler is called when there is priority data. By default nothing happens.
	PriorityHandler interface{ HandleExpt() error }

	// A ConnectHandler is called when the connection that Dial or Connect began is established.
	// By default nothing happens.
	ConnectHandler interface{ HandleConnect() error }

	// A CloseHandler is called when the connection has ended. By default the channel is closed.
	CloseHandler interface{ HandleClose() error }

	// A TimeoutHandler is called when nothing has happened for the duration of SetIdleTimeout, and
	// at the time of SetDeadline. By default HandleClose is called.
	TimeoutHandler interface{ HandleTimeout() error }

	// An AcceptHandler is called when a connection waits for Accept. By default HandleAccepted gets it.
	AcceptHandler interface{ HandleAccept() error }

	// An AcceptedHandler is given an accepted connection, and owns it from then on. If it returns an
	// error, the connection is closed, or the channel to which it was attached.
	AcceptedHandler interface {
		HandleAccepted(sock *Socket, from Addr) error
	}

	// An ErrorHandler is given the error that another handler returned, or its panic. An error that
	// it returns itself ends the loop. By default the error is logged and HandleClose called, except
	// for a channel that accepts connections: it goes on listening.
	ErrorHandler interface{ HandleError(err error) error }

	// A LogHandler is given what the defaults report, instead of the map's logger.
	LogHandler interface{ LogInfo(kind, message string) }

	// A ReadPredicate reports whether the channel waits to read. The loop calls it in each pass;
	// SetReadable costs nothing there. By default a channel waits to read.
	ReadPredicate interface{ Readable() bool }

	// A WritePredicate reports whether the channel waits to write. The loop calls it in each pass;
	// SetWritable costs nothing there. By default a channel waits to write if it has HandleWrite.
	// It always does while it connects, and while something is buffered.
	WritePredicate interface{ Writable() bool }
)

// tell calls a handler of the channel in a pass, and returns the error that ends the loop, if any.
func (d *Dispatcher) tell(event func(*Dispatcher) error) error {
	return d.settle(d.guarded(event))
}

// tellPoll is tell for the events of poll(2).
func (d *Dispatcher) tellPoll(events poller.Events) error {
	for _, kind := range pollKinds {
		if events&kind.events == 0 {
			continue
		}
		err := d.guarded(kind.handle)
		if err == nil || harmOf(err) == harmless || err == io.EOF && d.ended {
			continue
		}
		if lost(err) && !d.accepting && !errors.Is(err, ErrExitNow) {
			return d.handleClose()
		}
		return d.settle(err)
	}
	return nil
}

// pollKinds are the events in poll's order.
var pollKinds = [...]struct {
	events poller.Events
	handle func(*Dispatcher) error
}{
	{poller.Read, (*Dispatcher).readEvent},
	{poller.Write, (*Dispatcher).writeEvent},
	{poller.Priority, (*Dispatcher).priorityEvent},
	{poller.Error | poller.Hangup | poller.Invalid, (*Dispatcher).handleClose},
}

// settle deals with the error of a handler, and returns the error that ends the loop, if any.
func (d *Dispatcher) settle(err error) error {
	if err == nil || errors.Is(err, ErrExitNow) {
		return err
	}
	switch harmOf(err) {
	case harmless:
		return nil
	case theEnd:
		if d.ended || d.accepting {
			return nil
		}
		d.ended = true
		return d.settle(d.guarded((*Dispatcher).handleClose))
	}
	return d.handleError(err)
}

// guarded turns a panic into an error.
func (d *Dispatcher) guarded(event func(*Dispatcher) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = caught(value)
		}
	}()
	return event(d)
}

// The events, as the loop sees them: what they mean depends on the channel's state.

func (d *Dispatcher) readEvent() error {
	if d.accepting {
		return d.acceptEvent()
	}
	if err := d.connectStep(); err != nil {
		return err
	}
	if h, ok := d.handler.(ReadHandler); ok {
		return h.HandleRead()
	}
	return nil
}

func (d *Dispatcher) writeEvent() error {
	if d.accepting {
		return nil
	}
	if err := d.connectStep(); err != nil {
		return err
	}
	if d.out != nil {
		if err := d.out.SendMore(); err != nil {
			return err
		}
	}
	if h, ok := d.handler.(WriteHandler); ok {
		return h.HandleWrite()
	}
	return nil
}

func (d *Dispatcher) priorityEvent() error {
	if d.sockError() != nil {
		return d.handleClose()
	}
	if h, ok := d.handler.(PriorityHandler); ok {
		return h.HandleExpt()
	}
	return nil
}

// connectStep finds out whether a connection that is under way has been established.
func (d *Dispatcher) connectStep() error {
	if d.connected || !d.connecting {
		return nil
	}
	return d.connectEvent()
}

func (d *Dispatcher) connectEvent() error {
	if err := d.sockError(); err != nil {
		s := d.Socket()
		if s == nil {
			return err
		}
		return &net.OpError{Op: "dial", Net: s.Network(), Addr: d.addr, Err: err}
	}
	if h, ok := d.handler.(ConnectHandler); ok {
		if err := h.HandleConnect(); err != nil {
			return err
		}
	}
	d.connected, d.connecting = true, false
	d.changed()
	return nil
}

func (d *Dispatcher) sockError() error {
	if s, ok := d.sock.(pendingError); ok {
		return s.SockError()
	}
	return nil
}

// The handlers, with their defaults.

func (d *Dispatcher) handleClose() error {
	if h, ok := d.handler.(CloseHandler); ok {
		return h.HandleClose()
	}
	return d.closeOverridden()
}

// closeOverridden calls the handler's Close, which may override the Dispatcher's.
func (d *Dispatcher) closeOverridden() error {
	if h, ok := d.handler.(closer); ok {
		return h.Close()
	}
	return d.Close()
}

func (d *Dispatcher) timeoutEvent() error {
	if h, ok := d.handler.(TimeoutHandler); ok {
		return h.HandleTimeout()
	}
	return d.handleClose()
}

func (d *Dispatcher) handleError(err error) error {
	if h, ok := d.handler.(ErrorHandler); ok {
		return h.HandleError(err)
	}
	if d.accepting {
		d.log("error", "uncaught error, still accepting", err)
		return nil
	}
	d.log("error", "uncaught error, closing channel", err)
	return d.handleClose()
}

// pendingError is an Endpoint that can hold a pending error, as sockets do.
type pendingError interface {
	SockError() error
}
