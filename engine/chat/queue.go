// The queue of producers.

package chat

import (
	"slices"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/engine/internal/output"
)

// Producer is a source of data to send.
type Producer interface {
	// More returns the next piece, empty at the end. It is valid until the next call.
	More() ([]byte, error)
}

// entry is a part of the queue: data, a producer, or neither, which marks CloseWhenDone.
type entry struct {
	data     []byte // data[sent:] is still to send
	sent     int
	producer Producer
}

// queue is what is to be sent, in order.
type queue struct {
	entries []entry
	head    int    // entries[head:] is the queue
	spare   []byte // for the next entry's data
}

// pieceSize is the largest number of bytes that one call sends, and up to which small pieces are joined.
const pieceSize = 64 << 10

// keptSize is the largest capacity that an empty buffer keeps.
const keptSize = 4 << 10

func (q *queue) empty() bool { return q.head == len(q.entries) }

// first returns the first entry of a queue that is not empty.
func (q *queue) first() *entry { return &q.entries[q.head] }

// put queues a copy of data, joined to the last entry if it can be sent with that.
func (q *queue) put(data []byte) {
	if !q.empty() {
		last := &q.entries[len(q.entries)-1]
		if last.data != nil && len(last.data)+len(data) <= pieceSize {
			last.data = append(last.data, data...)
			return
		}
	}
	q.entries = append(q.entries, q.holding(data))
}

// putFirst queues a copy of data in front.
func (q *queue) putFirst(data []byte) {
	if q.head > 0 {
		q.head--
		q.entries[q.head] = q.holding(data)
	} else {
		q.entries = slices.Insert(q.entries, 0, q.holding(data))
	}
}

// holding returns an entry with a copy of data.
func (q *queue) holding(data []byte) entry {
	e := entry{data: append(q.spare, data...)}
	q.spare = nil
	return e
}

// pop removes the first entry.
func (q *queue) pop() {
	if data := q.first().data; cap(data) <= keptSize {
		q.spare = data[:0]
	}
	*q.first() = entry{}
	if q.head++; q.empty() {
		q.entries, q.head = q.entries[:0], 0
	}
}

func (q *queue) clear() { *q = queue{} }

// Push queues data, of which it keeps a copy if needed, and sends what the socket accepts at once.
func (c *Channel) Push(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if c.out.empty() && c.Connected() {
		n, err := c.Send(data[:min(len(data), pieceSize)])
		if err != nil && err != engine.ErrWouldBlock {
			return err
		}
		if data = data[n:]; len(data) > 0 {
			c.out.put(data)
			output.Pending(&c.Dispatcher, true)
		}
		return nil
	}
	c.out.put(data)
	return c.initiateSend()
}

// PushWithProducer queues the output of the producer, up to an empty piece.
func (c *Channel) PushWithProducer(p Producer) error {
	c.out.entries = append(c.out.entries, entry{producer: p})
	return c.initiateSend()
}

// CloseWhenDone closes the channel when everything in the queue has been sent.
func (c *Channel) CloseWhenDone() {
	c.out.entries = append(c.out.entries, entry{})
	output.Pending(&c.Dispatcher, true)
}

// queued is the output of a Channel. If the handler has HandleWrite, it is called afterwards; it cannot
// prevent the sending.
type queued Channel

// SendMore implements output.Sender.
func (q *queued) SendMore() error { return (*Channel)(q).initiateSend() }

// initiateSend sends one piece from the front of the queue.
func (c *Channel) initiateSend() error {
	err := c.sendPiece()
	output.Pending(&c.Dispatcher, !c.out.empty())
	return err
}

func (c *Channel) sendPiece() error {
	for !c.out.empty() && c.Connected() {
		first := c.out.first()
		if first.producer != nil {
			if err := c.produce(first.producer); err != nil {
				return err
			}
			continue
		}
		if first.data == nil {
			c.out.pop()
			return c.closed()
		}
		waiting := first.data[first.sent:]
		n, err := c.Send(waiting[:min(len(waiting), pieceSize)])
		if err == engine.ErrWouldBlock {
			err = nil
		}
		if c.out.empty() || c.out.first() != first {
			return err // a HandleClose has discarded it
		}
		if first.sent += n; first.sent == len(first.data) {
			c.out.pop()
		}
		return err
	}
	return nil
}

// produce puts the next piece of p, the first in the queue, in front of p.
func (c *Channel) produce(p Producer) error {
	data, err := p.More()
	switch {
	case err != nil:
		return err
	case c.out.empty() || c.out.first().producer != p:
	case len(data) == 0:
		c.out.pop()
	default:
		c.out.putFirst(data)
	}
	return nil
}

// closed calls, at the mark of CloseWhenDone, the handler's HandleClose, or Close.
func (c *Channel) closed() error {
	switch h := c.Handler().(type) {
	case interface{ HandleClose() error }:
		return h.HandleClose()
	case interface{ Close() error }:
		return h.Close()
	}
	return c.Close()
}
