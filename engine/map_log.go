//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// The logger of a map.

package engine

import (
	"errors"
	"fmt"
	"log/slog"
)

// SetLogger sets the logger to which the default handlers report. It is slog.Default() if none is set.
func (m *Map) SetLogger(l *slog.Logger) { m.logger = l }

// log reports a message about the channel, with its error if there is one.
func (d *Dispatcher) log(kind, message string, err error) {
	var p *PanicError
	if h, ok := d.handler.(LogHandler); ok {
		text := fmt.Sprintf("%s %v", message, d)
		if err != nil {
			text += fmt.Sprintf(" (%v)", err)
		}
		if errors.As(err, &p) {
			text += "\n" + string(p.Stack)
		}
		h.LogInfo(kind, text)
		return
	}
	l := d.m.logger
	if l == nil {
		l = slog.Default()
	}
	more := []any{"channel", d.String()}
	if err != nil {
		more = append(more, "error", err)
	}
	if errors.As(err, &p) {
		more = append(more, "stack", string(p.Stack))
	}
	if kind == "error" {
		l.Error(message, more...)
	} else {
		l.Warn(message, more...)
	}
}
