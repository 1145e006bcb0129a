//go:build linux

package selector

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/fdtest"
	"github.com/goasyncore/goasyncore/engine/poller"
)

// timing is a poller that keeps the timeouts of its waits.
type timing struct {
	poller.InKernel
	timeouts []time.Duration
}

func (p *timing) Wait(ready []poller.Ready, timeout time.Duration) (int, error) {
	p.timeouts = append(p.timeouts, timeout)
	return p.InKernel.Wait(ready, timeout)
}

// waking is an Alarm that wakes the poller at once.
type waking struct {
	poller     poller.Poller
	refuses    bool
	begun, end int
}

func (a *waking) Begin() bool {
	a.begun++
	if !a.refuses {
		_ = a.poller.Wake()
	}
	return !a.refuses
}

func (a *waking) End() { a.end++ }

// busyThenQuiet makes at least so many passes with something ready, and, if they are many, until the Run is busy. Then it
// makes one without. It returns the timeouts of that one.
func busyThenQuiet(t *testing.T, passes int, o Options) []time.Duration {
	p := &timing{InKernel: newEpoll(t)}
	s := New(p)
	if a, ok := o.Alarm.(*waking); ok {
		a.poller = p
	}
	near, far := fdtest.Pair(t)
	fdtest.Feed(t, far)
	quiet := false
	src := &script{changes: [][]Change{{{int32(near), poller.Read, 1}}}}
	src.more = func(src *script) bool {
		switch {
		case quiet:
			return false
		case src.steps > passes && (s.busy || passes < busyWaits):
			_, err := unix.Read(near, make([]byte, 16))
			require.NoError(t, err)
			p.timeouts, quiet = nil, true
		}
		return true
	}
	o.Count = -1
	o.Due = func() time.Duration { return -1 }
	began := time.Now()
	require.NoError(t, s.Run(src, o))
	assert.Empty(t, src.last)
	assert.GreaterOrEqual(t, time.Since(began), o.Timeout)
	return p.timeouts
}

const manyPasses = 10 * busyWaits

func TestWaitOfABusyRunHasNoTimeoutUntilTheAlarmWakesIt(t *testing.T) {
	alarm := &waking{}
	runs.Add(1)
	defer runs.Add(-1)
	waits := busyThenQuiet(t, manyPasses, Options{Timeout: 300 * time.Millisecond, Alarm: alarm, BeginShort: true})
	require.Len(t, waits, 2)
	assert.Negative(t, waits[0])
	assert.Greater(t, waits[1], shortWait, "the rest of the timeout")
	assert.Positive(t, alarm.end)
}

func TestWaitHasItsTimeoutWithoutAnAlarmOrALongWait(t *testing.T) {
	for name, c := range map[string]struct {
		passes int
		others int32
		o      Options
		asked  bool
	}{
		"not busy":   {busyWaits / 2, 1, Options{Timeout: 100 * time.Millisecond, Alarm: &waking{}}, false},
		"short wait": {manyPasses, 1, Options{Timeout: alarmWithin / 2, Alarm: &waking{}}, false},
		"alone":      {manyPasses, 0, Options{Timeout: 100 * time.Millisecond, Alarm: &waking{}}, false},
		"refused":    {manyPasses, 1, Options{Timeout: 100 * time.Millisecond, Alarm: &waking{refuses: true}}, true},
	} {
		runs.Add(c.others)
		waits := busyThenQuiet(t, c.passes, c.o)
		runs.Add(-c.others)
		assert.Len(t, waits, 1, name)
		assert.Positive(t, waits[0], name)
		alarm := c.o.Alarm.(*waking)
		assert.Equal(t, c.asked, alarm.begun > 0, name)
		assert.Zero(t, alarm.end, name)
	}
	assert.Len(t, busyThenQuiet(t, manyPasses, Options{Timeout: 100 * time.Millisecond}), 1)
}
