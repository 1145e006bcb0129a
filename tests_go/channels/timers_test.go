package channels

import (
	"math/rand"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

func TestTimersAreCalledWhenTheyAreDueAndInThatOrder(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		connection(t, m)
		goroutines := runtime.NumGoroutine()
		var called []int
		began := time.Now()
		for i, d := range []time.Duration{20, 5, 10, 5, 0, -1} {
			d *= time.Millisecond
			m.AfterFunc(d, func() {
				assert.GreaterOrEqual(t, time.Since(began), d)
				called = append(called, i)
			})
		}
		assert.Equal(t, goroutines, runtime.NumGoroutine())
		loopUntil(t, m, func() bool { return len(called) == 6 }, meaning)
		assert.Equal(t, []int{4, 5, 1, 3, 2, 0}, called)
		assert.Less(t, time.Since(began), long/2, "they shorten the wait")
	})
}

func TestStoppedTimerIsNotCalled(t *testing.T) {
	m := newMap(t, "")
	connection(t, m)
	called := ""
	first := m.AfterFunc(0, func() { called += "1" })
	second := m.AfterFunc(0, func() { called += "2" })
	var third engine.Timer
	m.AfterFunc(0, func() { assert.True(t, third.Stop()) })
	third = m.AfterFunc(0, func() { called += "3" })
	assert.True(t, first.Stop())
	assert.False(t, first.Stop())
	onePass(t, m)
	assert.Equal(t, "2", called)
	again := m.AfterFunc(0, func() { called += "4" })
	assert.False(t, second.Stop(), "its place is another's by now")
	assert.False(t, third.Stop())
	assert.False(t, engine.Timer{}.Stop())
	onePass(t, m)
	assert.Equal(t, "24", called)
	assert.False(t, again.Stop())
}

func TestTimerThatATimerMakesIsCalledInTheNextPass(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		connection(t, m)
		passes, calls := 0, 0
		var again func()
		again = func() {
			calls++
			m.AfterFunc(0, again)
		}
		again()
		for range 5 {
			onePass(t, m)
			passes++
			assert.Equal(t, passes+1, calls)
		}
	})
}

func TestTimersInAnyOrder(t *testing.T) {
	m := newMap(t, "")
	connection(t, m)
	random := rand.New(rand.NewSource(1))
	type pending struct {
		timer engine.Timer
		due   time.Duration
		i     int
	}
	var all []pending
	var called, expected []int
	const unit = 50 * time.Microsecond
	for i := range 5000 {
		due := time.Duration(random.Intn(200)) * unit
		all = append(all, pending{m.AfterFunc(due, func() { called = append(called, i) }), due, i})
	}
	for range 2000 {
		i := random.Intn(len(all))
		require.True(t, all[i].timer.Stop())
		all = slices.Delete(all, i, i+1)
	}
	loopUntil(t, m, func() bool { return len(called) == len(all) })
	for _, p := range all {
		expected = append(expected, p.i)
	}
	slices.Sort(expected)
	slices.Sort(called)
	assert.Equal(t, expected, called)
}

func TestTimersDoNotKeepTheLoopGoing(t *testing.T) {
	m := newMap(t, "")
	c, _ := connection(t, m)
	called := false
	m.AfterFunc(0, func() { assert.NoError(t, c.Close()) })
	m.AfterFunc(long, func() { called = true })
	require.NoError(t, m.Loop())
	assert.False(t, called)
}

func TestTimersFromOtherGoroutinesByDo(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		connection(t, m)
		ended := endless(m)
		m.Do(func() {
			m.AfterFunc(time.Millisecond, func() { assert.NoError(t, m.CloseAll()) })
		})
		require.NoError(t, <-ended)
	})
}

func TestPanicOfATimerLeavesTheLoop(t *testing.T) {
	m := newMap(t, "")
	connection(t, m)
	m.AfterFunc(0, func() { panic(errHandler) })
	assert.PanicsWithValue(t, errHandler, func() { _ = m.Loop() })
	onePass(t, m)
}

func TestTimersAreCalledInANestedLoop(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		c, peer := connection(t, m)
		say(t, peer, "x")
		inner := 0
		c.read = func() error {
			fds.Take(t, c.Socket().FD())
			m.AfterFunc(time.Millisecond, func() { inner++ })
			loopUntil(t, m, func() bool { return inner > 0 })
			return c.Close()
		}
		require.NoError(t, m.Loop())
		assert.Equal(t, 1, inner)
	})
}

// timed counts its timeouts.
type timed struct {
	engine.Dispatcher
	timeouts []time.Time
	then     func() error
}

var _ engine.TimeoutHandler = (*timed)(nil)

func (c *timed) HandleTimeout() error {
	c.timeouts = append(c.timeouts, time.Now())
	if c.then == nil {
		return nil
	}
	return c.then()
}

func (c *timed) HandleRead() error {
	_, err := c.Recv(c.Map().Buffer())
	return err
}

func newTimed(t *testing.T, m *engine.Map) (*timed, *engine.Socket) {
	near, far := ends(t)
	c := &timed{}
	require.NoError(t, c.Init(c, m))
	require.NoError(t, c.Attach(near))
	return c, far
}

func TestIdleTimeoutIsToldAgainAndAgain(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, _ := newTimed(t, m)
		began := time.Now()
		c.SetIdleTimeout(5 * time.Millisecond)
		loopUntil(t, m, func() bool { return len(c.timeouts) == 3 }, meaning)
		assert.GreaterOrEqual(t, c.timeouts[0].Sub(began), 5*time.Millisecond)
		assert.GreaterOrEqual(t, c.timeouts[2].Sub(began), 15*time.Millisecond)
		c.SetIdleTimeout(0)
		require.NoError(t, m.Loop(meaning, engine.WithCount(1), engine.WithTimeout(20*time.Millisecond)))
		assert.Len(t, c.timeouts, 3)
	})
}

func TestWhatIsReceivedAndSentPutsTheIdleTimeoutOff(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		const idle = 300 * time.Millisecond
		for _, sends := range []bool{false, true} {
			c, peer := newTimed(t, m)
			c.then = c.Close
			c.SetIdleTimeout(idle)
			last := time.Now()
			for range 5 {
				again := m.AfterFunc(100*time.Millisecond, func() {
					if sends {
						_, err := c.Send([]byte("x"))
						require.NoError(t, err)
					} else {
						say(t, peer, "x")
					}
					last = time.Now()
				})
				began := last
				loopUntil(t, m, func() bool { return last != began || len(c.timeouts) > 0 })
				if time.Since(began) > idle-50*time.Millisecond {
					again.Stop()
					t.Skip("the machine stood still for as long as a connection may be idle")
				}
				require.Empty(t, c.timeouts)
			}
			require.NoError(t, m.Loop())
			require.Len(t, c.timeouts, 1)
			assert.GreaterOrEqual(t, c.timeouts[0].Sub(last), idle-time.Millisecond)
		}
	})
}

func TestALongWaitIsNotIdleTimeOfWhatEndsIt(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		c, peer := newTimed(t, m)
		c.SetIdleTimeout(500 * time.Millisecond)
		sent, fd := make(chan time.Time, 1), peer.FD()
		timer := time.AfterFunc(200*time.Millisecond, func() {
			sent <- time.Now()
			_, _ = unix.Write(fd, []byte("x"))
		})
		defer timer.Stop()
		var at time.Time
		loopUntil(t, m, func() bool {
			if at.IsZero() {
				c.timeouts = nil // of a machine on which the 200 milliseconds took longer
				select {
				case at = <-sent:
				default:
				}
			}
			return len(c.timeouts) > 0
		})
		assert.GreaterOrEqual(t, c.timeouts[0].Sub(at), 499*time.Millisecond)
	})
}

func TestDeadlineIsToldOnceHoweverBusyTheChannelIs(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, peer := newTimed(t, m)
		at := time.Now().Add(20 * time.Millisecond)
		c.SetDeadline(time.Now().Add(long))
		c.SetDeadline(at)
		for len(c.timeouts) == 0 {
			say(t, peer, "x")
			require.NoError(t, m.Loop(meaning, engine.WithCount(1)))
		}
		assert.False(t, c.timeouts[0].Before(at))
		require.NoError(t, m.Loop(meaning, engine.WithCount(1), engine.WithTimeout(30*time.Millisecond)))
		assert.Len(t, c.timeouts, 1)
		c.SetDeadline(time.Now())
		c.SetDeadline(time.Time{})
		onePass(t, m, meaning)
		assert.Len(t, c.timeouts, 1)
		c.SetDeadline(time.Now())
		c.then = func() error { return engine.ErrExitNow }
		assert.Equal(t, engine.ErrExitNow, m.Loop(meaning))
	})
}

func TestTimeoutClosesByDefaultAndBeforeTheConnection(t *testing.T) {
	m := newMap(t, "")
	near, far := ends(t)
	d := &engine.Dispatcher{}
	require.NoError(t, d.Init(nil, m))
	d.SetDeadline(time.Now()) // before there is a socket
	require.NoError(t, d.Attach(near))
	require.NoError(t, m.Loop())
	assert.Equal(t, -1, near.FD())
	assert.Empty(t, text(t, far))
}

func TestChannelThatIsGoneHasNoTimeouts(t *testing.T) {
	m := newMap(t, "")
	c, _ := newTimed(t, m)
	other, _ := newTimed(t, m)
	other.then = func() error { c.DelChannel(); return nil }
	other.SetDeadline(time.Now())
	c.SetDeadline(time.Now())
	onePass(t, m)
	assert.Empty(t, c.timeouts)
	require.NoError(t, c.AddChannel())
	onePass(t, m)
	assert.Len(t, c.timeouts, 1, "back in its map it has")
}

func TestTimersAllocateNothing(t *testing.T) {
	m := newMap(t, "")
	c, peer := newTimed(t, m)
	c.SetIdleTimeout(time.Hour)
	for range 100_000 {
		m.AfterFunc(time.Hour, func() {})
	}
	calls := 0
	call := func() { calls++ }
	options := []engine.Option{engine.WithCount(1), engine.WithTimeout(0)}
	hello := []byte("x")
	turn := func(n int) func() {
		return func() {
			for range n {
				m.AfterFunc(time.Hour, call).Stop()
				m.AfterFunc(0, call)
				_, _ = peer.Send(hello)
			}
			_ = m.Loop(options...)
		}
	}
	turn(100)()
	few := testing.AllocsPerRun(5, turn(10))
	many := testing.AllocsPerRun(5, turn(100))
	assert.LessOrEqual(t, many, few)
	assert.Positive(t, calls)
}

// BenchmarkPassWithTimeouts is a pass over idle channels that have a timeout and a deadline each, and one
// channel that is ready.
func BenchmarkPassWithTimeouts(b *testing.B) {
	for _, limits := range []bool{false, true} {
		b.Run(map[bool]string{false: "without", true: "with"}[limits], func(b *testing.B) {
			m := engine.NewMap()
			defer m.Close()
			for range 5000 {
				for _, sock := range stream(b) {
					d := &engine.DispatcherWithSend{}
					require.NoError(b, d.Init(d, m))
					require.NoError(b, d.Attach(sock))
					if limits {
						d.SetIdleTimeout(time.Hour)
						d.SetDeadline(time.Now().Add(2 * time.Hour))
					}
				}
			}
			busy := &engine.Dispatcher{}
			require.NoError(b, busy.Init(&writes{}, m))
			require.NoError(b, busy.Attach(stream(b)[0]))
			require.NoError(b, m.Loop(engine.WithCount(1)))
			b.ReportAllocs()
			b.ResetTimer()
			require.NoError(b, m.Loop(engine.WithCount(b.N)))
		})
	}
}
