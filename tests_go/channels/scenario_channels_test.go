package channels

import (
	"fmt"
	"strings"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/engine/chat"
)

// part is what the channels of a scenario have in common.
type part struct {
	stage *stage
	name  string
	d     *engine.Dispatcher
}

func (p *part) HandleConnect() error {
	_, err := p.stage.event(p.name, "connect")
	return err
}

func (p *part) HandleClose() error {
	acted, err := p.stage.event(p.name, "close")
	if !acted {
		err = p.d.Close()
	}
	return err
}

func (p *part) HandleError(cause error) error {
	_, err := p.stage.event(p.name, "error", nameOf(cause))
	return err
}

func (p *part) HandleAccepted(sock *engine.Socket, _ engine.Addr) error {
	if _, err := p.stage.event(p.name, "accepted"); err != nil {
		return err
	}
	p.stage.attach(p.stage.acceptedAs, sock)
	p.stage.note(p.stage.acceptedAs, "opened")
	return nil
}

// The kinds of channel that a scenario knows.
type (
	plainPart struct {
		engine.Dispatcher
		part
	}
	senderPart struct {
		engine.DispatcherWithSend
		part
	}
	chatPart struct {
		chat.Channel
		part
	}
)

func (p *plainPart) HandleRead() error  { return p.told("read") }
func (p *plainPart) HandleWrite() error { return p.told("write") }
func (p *plainPart) HandleExpt() error  { return p.told("expt") }
func (p *senderPart) HandleRead() error { return p.told("read") }

func (p *part) told(event string) error {
	_, err := p.stage.event(p.name, event)
	return err
}

func (p *chatPart) FoundTerminator() error { return p.told("found") }

func (p *chatPart) CollectIncomingData(data []byte) error {
	p.stage.note(p.name, "collects", pythonic(data))
	return nil
}

// pythonic is data as Python's repr shows it.
func pythonic(data []byte) string {
	quoted := fmt.Sprintf("%q", data)
	return "'" + strings.Trim(quoted, `"`) + "'"
}

// wants has the channel wait for what the letters say.
func (p *plainPart) wants(letters string) {
	p.SetReadable(strings.Contains(letters, "r"))
	p.SetWritable(strings.Contains(letters, "w"))
}
