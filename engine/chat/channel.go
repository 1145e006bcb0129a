// Channel.

package chat

import (
	"bytes"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/engine/internal/output"
)

// Handler is the interface of a Channel's handler. It may also implement the interfaces of package engine.
type Handler interface {
	// CollectIncomingData is given what arrives before the terminator, in pieces that are never empty.
	// The data is valid until it returns.
	CollectIncomingData(data []byte) error

	// FoundTerminator is called when the terminator has arrived. It may set another one.
	FoundTerminator() error
}

// Channel is asyncore's async_chat. Embed it in the struct that is its [Handler], and call Init
// first.
type Channel struct {
	engine.Dispatcher
	handler    Handler
	terminator Terminator
	in         []byte // in[at:] has arrived and was not handed on
	at         int
	begun      int    // how much of the text terminator in[at:] is, if that is known
	borrowed   bool   // in is the map's buffer
	own        []byte // memory for in, when in has none of it
	out        queue
}

// Init makes c the channel of a handler in the map m, as [engine.Dispatcher.Init] does.
func (c *Channel) Init(handler Handler, m *engine.Map) error {
	c.handler = handler
	err := c.Dispatcher.Init(handler, m)
	c.SetWritable(false)
	output.Set(&c.Dispatcher, (*queued)(c))
	return err
}

// SetTerminator makes the channel collect up to t from now on.
func (c *Channel) SetTerminator(t Terminator) {
	if len(t.text) == 0 || !bytes.Equal(t.text, c.terminator.text) {
		c.begun = 0
	}
	c.terminator = t
}

// Terminator returns the current terminator.
func (c *Channel) Terminator() Terminator { return c.terminator }

// DiscardBuffers discards what was received and not passed to the handler, and everything in the queue.
func (c *Channel) DiscardBuffers() {
	c.at, c.begun = len(c.in), 0
	c.out.clear()
	output.Pending(&c.Dispatcher, false)
}

// HandleRead receives data and passes it to the handler. The loop calls it. A handler that overrides
// HandleRead has to call this one.
func (c *Channel) HandleRead() error {
	m := c.Map()
	buffer := m.Borrow()
	defer m.GiveBack(buffer)
	n, err := c.Recv(buffer)
	if err != nil || n == 0 {
		return err
	}
	if c.at == len(c.in) { // in most reads
		c.in, c.at, c.borrowed = buffer[:n], 0, true
		defer c.retain()
	} else {
		c.append(buffer[:n])
	}
	return c.handOn()
}

// append appends data to what is waiting, in the channel's own memory.
func (c *Channel) append(data []byte) {
	switch {
	case c.borrowed: // by a HandleRead that has not returned: a handler has called Loop
		c.retain()
	case c.at > len(c.in)/2: // so that each byte is moved once, however short the pieces are
		c.in = c.in[:copy(c.in, c.in[c.at:])]
		c.at = 0
	}
	c.in = append(c.in, data...)
}

// retain keeps what is left of a borrowed buffer.
func (c *Channel) retain() {
	if c.borrowed {
		c.in = append(c.own, c.in[c.at:]...)
		c.at, c.borrowed = 0, false
	}
}

// handOn passes to the handler what is complete. Each step removes the data from the buffer first, so that the
// handler may change the terminator, discard the buffers or call Loop.
func (c *Channel) handOn() (err error) {
	for err == nil && c.at < len(c.in) {
		waiting := c.in[c.at:]
		t := c.terminator
		if t.count > 0 {
			err = c.counted(waiting)
			continue
		}
		if len(t.text) == 0 {
			err = c.collect(len(waiting))
			continue
		}
		at, begun := t.Search(waiting, c.begun)
		c.begun = 0
		switch {
		case at == 0:
			c.at += len(t.text)
			err = c.handler.FoundTerminator()
		case at > 0:
			err = c.collect(at)
		case begun == len(waiting):
			c.begun = begun
			return nil
		default:
			err = c.collect(len(waiting) - begun)
		}
	}
	if c.at == len(c.in) {
		if !c.borrowed && cap(c.in) <= keptSize {
			c.own = c.in[:0]
		}
		c.in, c.at, c.borrowed = nil, 0, false
	}
	return err
}

// counted collects up to a number of bytes.
func (c *Channel) counted(waiting []byte) error {
	n := min(len(waiting), c.terminator.count)
	c.terminator.count -= n
	ended := c.terminator.count == 0
	err := c.collect(n)
	if err == nil && ended {
		err = c.handler.FoundTerminator()
	}
	return err
}

// collect passes the first n waiting bytes to the handler.
func (c *Channel) collect(n int) error {
	data := c.in[c.at : c.at+n]
	c.at += n
	return c.handler.CollectIncomingData(data)
}
