//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// A Dispatcher that buffers what it sends.

package engine

// DispatcherWithSend is a [Dispatcher] whose Send accepts all data: it buffers what the socket does not
// accept at once, and the loop sends that when there is room. If the handler has HandleWrite, it is called
// afterwards.
type DispatcherWithSend struct {
	Dispatcher
	buffer []byte // buffer[sent:] is still to send
	sent   int
}

// sendSize is the largest number of bytes that one call sends.
const sendSize = 64 << 10

// keptSize is the largest capacity that an empty buffer keeps.
const keptSize = 4 << 10

// Init is [Dispatcher.Init].
func (d *DispatcherWithSend) Init(handler any, m *Map) error {
	err := d.Dispatcher.Init(handler, m)
	d.SetWritable(false)
	d.out = (*buffered)(d)
	return err
}

// Buffered returns how many bytes are still to be sent.
func (d *DispatcherWithSend) Buffered() int { return len(d.buffer) - d.sent }

// Send sends what the socket accepts of p at once, and buffers a copy of the rest. Its errors are those of
// [Dispatcher.Send], except ErrWouldBlock; after an error, data that was not sent is lost.
func (d *DispatcherWithSend) Send(p []byte) (int, error) {
	if d.out == nil { // the loop would never send the rest
		return 0, ErrNoInit
	}
	if d.Buffered() > 0 {
		d.keep(p)
		return len(p), d.initiateSend()
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := d.Dispatcher.Send(p[:min(len(p), sendSize)])
	if err != nil && err != ErrWouldBlock {
		return 0, err
	}
	d.keep(p[n:])
	return len(p), nil
}

// Write is Send: the channel is an io.Writer.
func (d *DispatcherWithSend) Write(p []byte) (int, error) { return d.Send(p) }

// Close is [Dispatcher.Close]. It discards what is buffered.
func (d *DispatcherWithSend) Close() error {
	d.buffer, d.sent = nil, 0
	d.setPending(false)
	return d.Dispatcher.Close()
}

// buffered is the output of a DispatcherWithSend.
type buffered DispatcherWithSend

// SendMore implements output.Sender.
func (b *buffered) SendMore() error { return (*DispatcherWithSend)(b).initiateSend() }

// keep appends p to the buffer.
func (d *DispatcherWithSend) keep(p []byte) {
	if len(p) == 0 {
		return
	}
	if d.sent > len(d.buffer)/2 { // so that each byte is moved once, however little is sent at a time
		d.buffer = d.buffer[:copy(d.buffer, d.buffer[d.sent:])]
		d.sent = 0
	}
	d.buffer = append(d.buffer, p...)
	d.setPending(true)
}

// initiateSend sends what is buffered, in one call.
func (d *DispatcherWithSend) initiateSend() error {
	waiting := d.buffer[d.sent:]
	if len(waiting) == 0 {
		return nil
	}
	n, err := d.Dispatcher.Send(waiting[:min(len(waiting), sendSize)])
	if len(d.buffer) == 0 {
		return err // a HandleClose has closed the channel
	}
	d.sent += n
	if d.sent == len(d.buffer) {
		d.buffer, d.sent = d.buffer[:0], 0
		if cap(d.buffer) > keptSize {
			d.buffer = nil
		}
		d.setPending(false)
	}
	if err == ErrWouldBlock {
		err = nil
	}
	return err
}
