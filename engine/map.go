//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Map: channels by number, in their order.

package engine

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/descriptor"
	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
)

// Map holds channels by descriptor, in the order in which they were added. A Map and its channels belong to
// one goroutine at a time; only Wake and Do may be called from others. The first loop opens the poller, and
// Close closes it. A Map that lives as long as the program needs no Close.
type Map struct {
	table    []slot
	n        int
	places   uint64 // given so far
	marked   []int32
	asked    []asked
	changes  []selector.Change
	applied  bool // changes went to the selector
	selector *selector.Selector
	pollers  string // the name for Open
	running  bool   // a loop is
	buffer   []byte
	logger   *slog.Logger // nil is slog.Default()
	timers   timers
	due      func() time.Duration // dueIn, made once
	awake    atomic.Bool          // Wake was called; the next wait, or the one under way, ends at once
	spare    [][]byte

	posted atomic.Bool // tasks is not empty; looked at in each pass
	mu     sync.Mutex  // guards what follows
	tasks  []func()
	waker  poller.Poller
	woken  bool // before there was a poller
}

// slot is what the map knows about a number.
type slot struct {
	channel *Dispatcher
	order   uint64        // place<<replacements | how often the channel there was replaced
	told    uint64        // the order that the selector knows
	want    poller.Events // what the selector knows
	marked  bool
}

const replacements = 20

// asked is a channel whose handler has predicates.
type asked struct {
	order   uint64
	channel *Dispatcher
}

var defaultMap = NewMap()

// DefaultMap returns the map of channels and loops for which no map was given.
func DefaultMap() *Map { return defaultMap }

// NewMap returns an empty map.
func NewMap() *Map { return new(Map) }

// NewMapOn returns an empty map whose loop uses the poller of that name, "epoll", "kqueue", "poll" or
// "select". Loop returns an error if the platform does not have it.
func NewMapOn(poller string) *Map { return &Map{pollers: poller} }

// Len returns the number of channels.
func (m *Map) Len() int { return m.n }

// Channel returns the channel with that descriptor, nil if there is none.
func (m *Map) Channel(fd int) *Dispatcher {
	if uint(fd) < uint(len(m.table)) {
		return m.table[fd].channel
	}
	return nil
}

// Channels returns the channels, in map order.
func (m *Map) Channels() []*Dispatcher {
	all := make([]*Dispatcher, 0, m.n)
	for i := range m.table {
		if d := m.table[i].channel; d != nil {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *Dispatcher) int {
		return cmp.Compare(m.table[a.fd].order, m.table[b.fd].order)
	})
	return all
}

// add puts d into the map under the number fd. If it replaces a channel, it has the same place in map order.
func (m *Map) add(d *Dispatcher, fd int) error {
	if uint(fd) >= descriptor.Max {
		return descriptor.NotOpen("add")
	}
	if d.inMap && int(d.fd) == fd {
		return nil
	}
	d.DelChannel()
	m.table = descriptor.Grown(m.table, fd)
	s := &m.table[fd]
	order := s.order + 1
	if s.channel == nil {
		m.places++
		order = m.places << replacements
		m.n++
	} else {
		m.remove(s.channel)
		m.n++
	}
	s.channel, s.order = d, order
	d.fd, d.inMap = int32(fd), true
	m.mark(d.fd)
	if d.times != nil {
		d.times.arm()
	}
	if d.own() {
		i, _ := m.findAsked(order)
		m.asked = slices.Insert(m.asked, i, asked{order, d})
	}
	return nil
}

// remove removes d.
func (m *Map) remove(d *Dispatcher) {
	s := &m.table[d.fd]
	if i, found := m.findAsked(s.order); found {
		m.asked = slices.Delete(m.asked, i, i+1)
	}
	s.channel, d.inMap = nil, false
	if d.times != nil {
		d.times.timer.Stop()
	}
	m.n--
	m.mark(d.fd)
}

func (m *Map) findAsked(order uint64) (int, bool) {
	return slices.BinarySearchFunc(m.asked, order, func(a asked, order uint64) int {
		return cmp.Compare(a.order, order)
	})
}

// mark makes collect look at the number.
func (m *Map) mark(fd int32) {
	if s := &m.table[fd]; !s.marked {
		s.marked = true
		m.marked = append(m.marked, fd)
	}
}

// collect returns what has changed in what the channels wait for. It asks those whose handlers have
// predicates, in map order, and looks at those that are marked. Changes that did not reach the selector
// because a predicate panicked are returned the next time.
func (m *Map) collect() []selector.Change {
	if m.applied {
		m.applied, m.changes = false, m.changes[:0]
	}
	for i := 0; i < len(m.asked); i++ { // a predicate may change the map
		d := m.asked[i].channel
		if want := d.want(); d.inMap {
			m.note(d.fd, want)
		}
	}
	for _, fd := range m.marked {
		s := &m.table[fd]
		s.marked = false
		switch {
		case s.channel == nil:
			m.note(fd, 0)
		case !s.channel.own():
			m.note(fd, s.channel.want())
		}
	}
	m.marked = m.marked[:0]
	m.applied = m.n > 0 // an empty map ends the loop instead
	return m.changes
}

// note records that the channel under fd waits for want, and reports it to the selector if it has changed.
func (m *Map) note(fd int32, want poller.Events) {
	s := &m.table[fd]
	if want != s.want || want != 0 && s.order != s.told {
		s.want, s.told = want, s.order
		m.changes = append(m.changes, selector.Change{FD: fd, Want: want, Order: s.order})
	}
}

// Buffer returns 64 KiB to receive into, which all channels of the map share. The contents are valid until
// the handler returns or calls Loop.
func (m *Map) Buffer() []byte {
	if m.buffer == nil {
		m.buffer = make([]byte, bufferSize)
	}
	return m.buffer
}

const bufferSize = 64 << 10

// Borrow returns a buffer like Buffer's that nothing else uses until GiveBack.
func (m *Map) Borrow() []byte {
	if n := len(m.spare); n > 0 {
		buffer := m.spare[n-1]
		m.spare = m.spare[:n-1]
		return buffer
	}
	return make([]byte, bufferSize)
}

// GiveBack returns a buffer that Borrow returned.
func (m *Map) GiveBack(buffer []byte) { m.spare = append(m.spare, buffer[:bufferSize]) }

// CloseAll closes all channels, in map order, and leaves the map empty. It returns their errors, joined. It
// is not an error that a channel was closed already.
func (m *Map) CloseAll() error {
	var failures []error
	for _, d := range m.Channels() {
		if err := d.closeOverridden(); err != nil && !errors.Is(err, unix.EBADF) {
			failures = append(failures, err)
		}
	}
	for _, d := range m.Channels() {
		m.remove(d)
	}
	return errors.Join(failures...)
}

// Close closes the poller. It does not close the channels: see CloseAll. A loop may be started again
// afterwards.
func (m *Map) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.selector == nil {
		return nil
	}
	if m.running {
		return selector.ErrRunning
	}
	err := m.selector.Close()
	m.selector, m.waker, m.woken = nil, nil, true
	m.forgetTold()
	return err
}

// forgetTold makes collect report every channel, to a new selector.
func (m *Map) forgetTold() {
	for fd := range m.table {
		s := &m.table[fd]
		s.want, s.told = 0, 0
		if s.channel != nil {
			m.mark(int32(fd))
		}
	}
}
