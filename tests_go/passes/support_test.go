// Package passes tests engine/selector and engine/poller from outside, on every poller of the platform.
package passes

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
)

const (
	read  = poller.Read
	write = poller.Write
)

// long is for waits that something ends; a test that needs it all has failed.
const long = time.Minute

// onEachPoller runs test with a fresh poller of every kind.
func onEachPoller(t *testing.T, test func(t *testing.T, p poller.Poller)) {
	for _, name := range poller.Names() {
		t.Run(name, func(t *testing.T) {
			p, err := poller.Open(name)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, p.Close()) })
			test(t, p)
		})
	}
}

// onEachSelector runs test with a fresh selector around every kind of poller.
func onEachSelector(t *testing.T, test func(t *testing.T, s *selector.Selector)) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) { test(t, selector.New(p)) })
}

// wait is p.Wait, begun again when a signal ends it: Go's runtime sends itself some.
func wait(p poller.Poller, ready []poller.Ready, timeout time.Duration) (n int, err error) {
	for {
		if n, err = p.Wait(ready, timeout); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// waitFor is everything that p says is ready within timeout.
func waitFor(t *testing.T, p poller.Poller, timeout time.Duration) map[int]poller.Events {
	ready := make([]poller.Ready, p.Len()+1)
	n, err := wait(p, ready, timeout)
	require.NoError(t, err)
	found := map[int]poller.Events{}
	for _, r := range ready[:n] {
		require.NotContains(t, found, int(r.FD), "told twice")
		found[int(r.FD)] = r.Events
	}
	return found
}

// source is a selector.Source made of a function.
type source struct {
	// step gets the number of the Step, from 0.
	step        func(i int, ready []poller.Ready, collect bool) ([]selector.Change, bool)
	interrupted func() bool
	holds       func(fd int32, order uint64) bool // nil: always
	steps       []step
	signals     int
}

// step is what a Step was told.
type step struct {
	ready   []poller.Ready
	collect bool
}

func (s *source) Step(ready []poller.Ready, collect bool) ([]selector.Change, bool) {
	s.steps = append(s.steps, step{append([]poller.Ready(nil), ready...), collect})
	return s.step(len(s.steps)-1, ready, collect)
}

func (s *source) Interrupted() bool {
	s.signals++
	return s.interrupted == nil || s.interrupted()
}

func (s *source) Holds(fd int32, order uint64) bool { return s.holds == nil || s.holds(fd, order) }

// asked is how often the source was asked what it waits for.
func (s *source) asked() int {
	n := 0
	for _, step := range s.steps {
		if step.collect {
			n++
		}
	}
	return n
}

// once is a source that waits for the same things all the time.
func once(changes ...selector.Change) *source {
	return &source{step: func(i int, _ []poller.Ready, _ bool) ([]selector.Change, bool) {
		if i == 0 {
			return changes, true
		}
		return nil, true
	}}
}

// want is a Change; order is the number itself.
func want(fd int, events poller.Events) selector.Change {
	return selector.Change{FD: int32(fd), Want: events, Order: uint64(fd)}
}

// is is a Ready.
func is(fd int, events poller.Events) poller.Ready {
	return poller.Ready{FD: int32(fd), Events: events}
}

// run is a Run; its error fails the test.
func run(t *testing.T, s *selector.Selector, src selector.Source, m selector.Meaning, count int, timeout time.Duration) {
	require.NoError(t, s.Run(src, selector.Options{Timeout: timeout, Meaning: m, Count: count}))
}

// found is what one pass of src tells.
func found(t *testing.T, s *selector.Selector, src *source, m selector.Meaning, timeout time.Duration) []poller.Ready {
	run(t, s, src, m, 1, timeout)
	last := src.steps[len(src.steps)-1]
	require.False(t, last.collect)
	return last.ready
}

var meanings = map[string]selector.Meaning{"select": selector.Select, "poll": selector.Poll}

// onEachMeaning runs test in both meanings on every selector.
func onEachMeaning(t *testing.T, test func(t *testing.T, s *selector.Selector, m selector.Meaning)) {
	for name, m := range meanings {
		t.Run("as_"+name, func(t *testing.T) {
			onEachSelector(t, func(t *testing.T, s *selector.Selector) { test(t, s, m) })
		})
	}
}
