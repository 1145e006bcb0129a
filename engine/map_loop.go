//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Loop and its options.

package engine

import (
	"cmp"
	"context"
	"time"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
)

// Option is an option of Loop.
type Option func(*options)

type options struct {
	selector.Options
	m   *Map
	ctx context.Context
}

// WithTimeout sets how long a pass waits at most; negative is for ever. The default is 30 seconds. It does not
// limit how long the loop runs: see [WithContext].
func WithTimeout(timeout time.Duration) Option {
	return func(o *options) { o.Timeout = timeout }
}

// WithPoll makes the passes use poll(2)'s meaning of ready instead of select(2)'s: after a hang-up or an
// error, HandleClose is called, not HandleRead or HandleWrite.
func WithPoll() Option { return func(o *options) { o.Meaning = selector.Poll } }

// WithMap makes the loop serve the channels of m.
func WithMap(m *Map) Option { return func(o *options) { o.m = m } }

// WithCount ends the loop after that many passes; negative is no limit.
func WithCount(passes int) Option { return func(o *options) { o.Count = passes } }

// WithContext ends the loop when ctx is done. Loop then returns the cause.
func WithContext(ctx context.Context) Option { return func(o *options) { o.ctx = ctx } }

// Loop serves the channels of a map until none is left, or until it has made the passes of WithCount, and
// returns nil. It returns earlier with
//
//   - ErrExitNow from a handler, or an error from HandleError;
//   - the cause, when the context of WithContext is done;
//   - an error that wraps EBADF, if a channel's descriptor is not open, unless WithPoll is given;
//   - the error of a system call without which the poller cannot work.
//
// A panic in HandleError, in a predicate or in a function given to Do or AfterFunc propagates out of Loop.
// In all these cases Loop may be called again for the map.
func Loop(opts ...Option) error {
	o := options{Options: selector.Options{Timeout: 30 * time.Second, Count: -1}, m: defaultMap}
	for _, set := range opts {
		set(&o)
	}
	if o.m == nil {
		o.m = defaultMap
	}
	return o.m.serve(o)
}

// Loop is [Loop] for the channels of m.
func (m *Map) Loop(opts ...Option) error {
	o := options{Options: selector.Options{Timeout: 30 * time.Second, Count: -1}}
	for _, set := range opts {
		set(&o)
	}
	return m.serve(o)
}

// serve runs a loop. Inside another loop over the same map it uses a second selector.
func (m *Map) serve(o options) error {
	if o.ctx != nil && o.ctx.Err() != nil {
		return context.Cause(o.ctx)
	}
	if m.n == 0 && !m.posted.Load() {
		return nil
	}
	if m.due == nil {
		m.due = m.dueIn
	}
	o.Due = m.due
	p := &pass{m: m, meaning: o.Meaning, ctx: o.ctx, collect: m.collect}
	selector, leave, err := m.enter(p)
	if err != nil {
		return err
	}
	defer leave()
	if o.ctx != nil {
		defer context.AfterFunc(o.ctx, m.Wake)()
	}
	err = selector.Run(p, o.Options)
	return cmp.Or(p.err, err)
}

// dueIn is Options.Due. It may be called several times in a wait, so it is Step that consumes a wake-up.
func (m *Map) dueIn() time.Duration {
	if m.awake.Load() {
		return 0
	}
	return m.timers.wait()
}

// enter returns the selector, and a function to call at the end of the loop.
func (m *Map) enter(p *pass) (*selector.Selector, func(), error) {
	if m.running {
		return m.enterNested(p)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.selector == nil {
		opened, err := poller.Open(m.pollers)
		if err != nil {
			return nil, nil, err
		}
		poller.Park(opened)
		m.selector, m.waker = selector.New(opened), opened
	}
	if m.woken {
		m.woken = false
		_ = m.waker.Wake() // a poller just opened has room for it
	}
	m.running = true
	return m.selector, func() { m.running = false }, nil
}

// enterNested is enter inside a running loop.
func (m *Map) enterNested(p *pass) (*selector.Selector, func(), error) {
	opened, err := poller.Open(m.pollers)
	if err != nil {
		return nil, nil, err
	}
	n := &nested{m: m}
	p.collect = n.collect
	m.mu.Lock()
	defer m.mu.Unlock()
	outer := m.waker
	m.waker = opened
	return selector.New(opened), func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.waker = outer
		opened.Close()
	}, nil
}

// pass is a loop over a map, as a selector.Source.
type pass struct {
	m       *Map
	meaning selector.Meaning
	ctx     context.Context
	collect func() []selector.Change
	begun   bool          // a Step has been made
	err     error         // the error that ends the loop
	ready   []*Dispatcher // the channels that were under the numbers that are ready
}

var _ selector.Source = (*pass)(nil)

// Step implements Source.
func (p *pass) Step(ready []poller.Ready, collect bool) ([]selector.Change, bool) {
	first := !p.begun
	p.begun = true
	if !first && p.m.awake.Load() {
		p.m.awake.Store(false) // what it announced is done below, or has been done
	}
	timers := &p.m.timers
	if len(timers.heap) > 0 {
		timers.clock() // for the handlers: the wait may have been long
	}
	if len(ready) > 0 {
		if p.err = p.tell(ready); p.err != nil {
			return nil, false
		}
	}
	p.m.work()
	// What was due or woken before the loop began ends the first wait, as it would a moment later.
	if !first {
		if p.err = timers.fire(); p.err != nil {
			return nil, false
		}
	}
	if p.ctx != nil && p.ctx.Err() != nil {
		p.err = context.Cause(p.ctx)
		return nil, false
	}
	if !collect || p.m.n == 0 {
		return nil, false
	}
	changes := p.collect()
	return changes, p.m.n > 0 // a predicate may have emptied the map
}

// Interrupted implements Source. Go's runtime has handled the signal.
func (p *pass) Interrupted() bool { return true }

// Holds implements Source. A map belongs to its loop's goroutine: nothing changes during a wait.
func (p *pass) Holds(int32, uint64) bool { return true }

// tell tells the channels what happened, in select's order or in poll's. It skips a channel that an earlier
// handler has removed from the map or replaced.
func (p *pass) tell(ready []poller.Ready) error {
	var any poller.Events
	p.ready = p.ready[:0]
	for _, r := range ready {
		p.ready = append(p.ready, p.m.Channel(int(r.FD)))
		any |= r.Events
	}
	if p.meaning == selector.Poll {
		for i, r := range ready {
			if d := p.present(i, r.FD); d != nil {
				if err := d.tellPoll(r.Events); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, kind := range kinds {
		if any&kind.event == 0 {
			continue
		}
		for i, r := range ready {
			if d := p.present(i, r.FD); d != nil && r.Events&kind.event != 0 {
				if err := d.tell(kind.handle); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// kinds are the events in select's order.
var kinds = [...]struct {
	event  poller.Events
	handle func(*Dispatcher) error
}{
	{poller.Read, (*Dispatcher).readEvent},
	{poller.Write, (*Dispatcher).writeEvent},
	{poller.Priority, (*Dispatcher).priorityEvent},
}

// present returns the channel that was ready under fd, or nil if it is not there any more.
func (p *pass) present(i int, fd int32) *Dispatcher {
	if d := p.ready[i]; d != nil && p.m.table[fd].channel == d {
		return d
	}
	return nil
}

// nested collects for a loop inside a loop over the same map. It leaves alone what the outer loop has told its
// selector. It asks every channel in each pass, and allocates a little.
type nested struct {
	m       *Map
	told    map[int32]selector.Change
	changes []selector.Change
}

func (n *nested) collect() []selector.Change {
	n.changes = n.changes[:0]
	now := make(map[int32]selector.Change, n.m.n)
	for _, d := range n.m.Channels() {
		if !d.inMap {
			continue
		}
		fd, want := d.fd, d.want()
		if !d.inMap || want == 0 {
			continue
		}
		c := selector.Change{FD: fd, Want: want, Order: n.m.table[fd].order}
		now[fd] = c
		if n.told[fd] != c {
			n.changes = append(n.changes, c)
		}
	}
	for fd := range n.told {
		if _, still := now[fd]; !still {
			n.changes = append(n.changes, selector.Change{FD: fd})
		}
	}
	n.told = now
	return n.changes
}
