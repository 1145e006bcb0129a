//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Which error goes to which handler, and which leave the loop.

package engine

import (
	"errors"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sys/unix"
)

// ErrExitNow ends the loop if a handler returns it. Loop returns it too.
var ErrExitNow = errors.New("engine: exit now")

// ErrNoInit is the error of a channel that is used before its Init.
var ErrNoInit = errors.New("engine: Init has to be called before the channel is used")

// PanicError is the error for HandleError after a panic of a handler.
type PanicError struct {
	Value any    // the argument of panic
	Stack []byte // of the goroutine that panicked
}

// Error returns the panic's value as text.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the panic's value if that is an error, else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// caught returns a PanicError for the result of recover.
func caught(value any) error {
	stack := make([]byte, 16<<10)
	return &PanicError{value, stack[:runtime.Stack(stack, false)]}
}

// endedError is the error of a Recv or a Send whose channel has had HandleClose called already.
type endedError struct{ cause error }

func (e *endedError) Error() string { return e.cause.Error() }
func (e *endedError) Unwrap() error { return e.cause }

// harm is what has to be done about an error that a handler returned.
type harm int

const (
	harmless harm = iota // nothing: ErrWouldBlock, or an end that was dealt with
	theEnd               // HandleClose, unless that has been called: io.EOF
	harmful              // HandleError
)

// harmOf returns the worst of err and the errors that it wraps: an error that errors.Join has joined to a
// harmless one must not be lost.
func harmOf(err error) harm {
	switch err {
	case nil, ErrWouldBlock:
		return harmless
	case io.EOF:
		return theEnd
	}
	switch e := err.(type) {
	case *endedError:
		return harmless
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return harmOf(inner)
		}
	case interface{ Unwrap() []error }:
		worst := harmless
		for _, one := range e.Unwrap() {
			worst = max(worst, harmOf(one))
		}
		return worst
	}
	return harmful
}

// lost reports whether err means that the connection is gone.
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
