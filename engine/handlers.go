package engine

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// A handler is what Init got: most often the struct that the Dispatcher is embedded in. It has the
// methods of those of the following interfaces that it cares about. The loop calls them on its own
// goroutine. ErrExitNow from any of them ends the loop; another error, or a panic (see
// [PanicError]), goes to HandleError.
type (
	// A ReadHandler is told that there is something to Recv, or that the stream has ended. It
	// has to Recv: what is not taken is told again in each pass. By default nothing happens.
	ReadHandler interface{ HandleRead() error }

	// A WriteHandler is told that there is room to Send. By default nothing happens.
	WriteHandler interface{ HandleWrite() error }

	// A PriorityHandler is told of priority data. By default nothing happens.
	PriorityHandler interface{ HandleExpt() error }

	// A ConnectHandler is told that what Connect began is done. By default nothing happens.
	ConnectHandler interface{ HandleConnect() error }

	// A CloseHandler is told that the connection has ended or is lost. By default the channel
	// is closed.
	CloseHandler interface{ HandleClose() error }

	// An AcceptHandler is told that a connection waits for Accept. By default it is accepted,
	// and given to HandleAccepted.
	AcceptHandler interface{ HandleAccept() error }

	// An AcceptedHandler gets an accepted connection, which is its own from then on. By default
	// it is closed.
	AcceptedHandler interface {
		HandleAccepted(sock *Socket, from Addr) error
	}

	// An ErrorHandler gets what another handler returned, or its panic. What it returns itself
	// ends the loop. By default the error is logged and HandleClose called.
	ErrorHandler interface{ HandleError(err error) error }

	// A LogHandler gets what the defaults have to say. By default it goes to standard error.
	LogHandler interface{ LogInfo(kind, message string) }

	// A ReadPredicate says whether the channel waits to read. It is asked in each pass, which
	// SetReadable does not cost. By default a channel waits to read.
	ReadPredicate interface{ Readable() bool }

	// A WritePredicate says whether the channel waits to write. It is asked in each pass, which
	// SetWritable does not cost. By default a channel waits to write while it connects, and
	// always if it has HandleWrite.
	WritePredicate interface{ Writable() bool }
)

// ErrExitNow, returned by a handler, ends the loop, which returns it.
var ErrExitNow = errors.New("engine: exit now")

// PanicError is a panic of a handler, as HandleError gets it.
type PanicError struct {
	Value any    // what panic got
	Stack []byte // where
}

// Error is the panic's value.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap is the panic's value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// caught makes a PanicError of what recover answered.
func caught(value any) error {
	stack := make([]byte, 16<<10)
	return &PanicError{value, stack[:runtime.Stack(stack, false)]}
}

// lost says whether err means that the connection is gone.
func lost(err error) bool {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case unix.ECONNRESET, unix.ENOTCONN, unix.ESHUTDOWN, unix.ECONNABORTED, unix.EPIPE, unix.EBADF:
		return true
	}
	return false
}

// tell calls an event of the channel in a pass, and answers what ends the loop.
func (d *Dispatcher) tell(event func(*Dispatcher) error) error {
	err := d.guarded(event)
	if err == nil || errors.Is(err, ErrExitNow) {
		return err
	}
	return d.handleError(err)
}

// tellPoll is tell for what poll(2) reported.
func (d *Dispatcher) tellPoll(events Events) error {
	var err error
	if events&Read != 0 {
		err = d.guarded((*Dispatcher).readEvent)
	}
	if err == nil && events&Write != 0 {
		err = d.guarded((*Dispatcher).writeEvent)
	}
	if err == nil && events&Priority != 0 {
		err = d.guarded((*Dispatcher).priorityEvent)
	}
	if err == nil && events&(Error|Hangup|Invalid) != 0 {
		err = d.guarded((*Dispatcher).handleClose)
	}
	switch {
	case err == nil || errors.Is(err, ErrExitNow):
		return err
	case lost(err):
		return d.handleClose()
	}
	return d.handleError(err)
}

// guarded makes an error of a panic.
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
		return d.handleAccept()
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

// connectStep finds out what became of Connect, if that is still open.
func (d *Dispatcher) connectStep() error {
	if d.connected || !d.connecting {
		return nil
	}
	return d.connectEvent()
}

func (d *Dispatcher) connectEvent() error {
	if err := d.sockError(); err != nil {
		return err
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

func (d *Dispatcher) handleAccept() error {
	if h, ok := d.handler.(AcceptHandler); ok {
		return h.HandleAccept()
	}
	sock, from, err := d.Accept()
	if sock == nil || err != nil {
		return err
	}
	if h, ok := d.handler.(AcceptedHandler); ok {
		return h.HandleAccepted(sock, from)
	}
	return sock.Close()
}

func (d *Dispatcher) handleClose() error {
	if h, ok := d.handler.(CloseHandler); ok {
		return h.HandleClose()
	}
	return d.closeOverridden()
}

// closeOverridden is the handler's Close, which may be its own.
func (d *Dispatcher) closeOverridden() error {
	if h, ok := d.handler.(interface{ Close() error }); ok {
		return h.Close()
	}
	return d.Close()
}

func (d *Dispatcher) handleError(err error) error {
	if h, ok := d.handler.(ErrorHandler); ok {
		return h.HandleError(err)
	}
	message := fmt.Sprintf("uncaught error, closing channel %v (%v)", d, err)
	if p, ok := err.(*PanicError); ok {
		message += "\n" + string(p.Stack)
	}
	if h, ok := d.handler.(LogHandler); ok {
		h.LogInfo("error", message)
	} else {
		fmt.Fprintf(os.Stderr, "error: %s\n", message)
	}
	return d.handleClose()
}
