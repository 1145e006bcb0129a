package channels

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goasyncore/goasyncore/engine"
)

// endless loops on a goroutine of its own, and answers what the loop returned.
func endless(m *engine.Map, opts ...engine.Option) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- m.Loop(append(opts, engine.WithTimeout(-1))...) }()
	return ended
}

func TestDoRunsInTheLoop(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		connection(t, m)
		ended := endless(m, meaning)
		var order []int
		var all sync.WaitGroup
		for i := range 100 {
			all.Add(1)
			m.Do(func() {
				defer all.Done()
				order = append(order, i)
			})
		}
		all.Wait()
		m.Do(func() { assert.NoError(t, m.CloseAll()) })
		require.NoError(t, <-ended)
		require.Len(t, order, 100)
		assert.IsIncreasing(t, order)
	})
}

func TestDoFromManyGoroutines(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		connection(t, m)
		ended := endless(m)
		done := 0
		var all sync.WaitGroup
		for range 8 {
			all.Add(1)
			go func() {
				defer all.Done()
				for range 200 {
					m.Do(func() { done++ })
					m.Wake()
				}
			}()
		}
		all.Wait()
		m.Do(func() { assert.NoError(t, m.CloseAll()) })
		require.NoError(t, <-ended)
		assert.Equal(t, 1600, done)
	})
}

func TestDoBeforeALoop(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		var c *channel
		m.Do(func() {
			c, _ = connection(t, m)
			c.SetWritable(true)
		})
		onePass(t, m)
		require.NotNil(t, c)
		assert.Equal(t, []string{"write"}, c.seen)
		m.Do(func() { m.Do(func() { c.seen = nil }) })
		onePass(t, m)
		assert.Len(t, c.seen, 0, "what a function posts runs in the next pass, or loop")
	})
}

func TestChangesThatDoMakesAreServedAtOnce(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		idle, _ := connection(t, m)
		ended := endless(m, meaning)
		m.Do(func() {
			c, _ := connection(t, m)
			c.SetWritable(true)
			c.write = func() error { return errors.Join(idle.Close(), c.Close()) }
		})
		require.NoError(t, <-ended)
	})
}

// As it does during the wait: what is due or woken a moment earlier must not make a difference.
func TestWhatComesBeforeALoopEndsItsFirstWait(t *testing.T) {
	called := 0
	for name, before := range map[string]func(m *engine.Map){
		"Wake":      (*engine.Map).Wake,
		"Do":        func(m *engine.Map) { m.Do(func() { called++ }) },
		"AfterFunc": func(m *engine.Map) { m.AfterFunc(0, func() { called++ }) },
	} {
		t.Run(name, func(t *testing.T) {
			onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
				connection(t, m)
				for range 2 { // before the first loop of all, and before another one
					called = 0
					before(m)
					began := time.Now()
					require.NoError(t, m.Loop(meaning, engine.WithCount(1), engine.WithTimeout(long)))
					assert.Less(t, time.Since(began), long/2)
					assert.Equal(t, name != "Wake", called == 1)
				}
				// It ends that one alone.
				began := time.Now()
				require.NoError(t, m.Loop(meaning, engine.WithCount(1), engine.WithTimeout(20*time.Millisecond)))
				assert.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond)
			})
		})
	}
}

func TestPanicInDoLeavesTheLoop(t *testing.T) {
	m := newMap(t, "")
	connection(t, m)
	ran := false
	m.Do(func() { panic(errHandler) })
	m.Do(func() { ran = true })
	assert.PanicsWithValue(t, errHandler, func() { _ = m.Loop() })
	assert.False(t, ran)
	onePass(t, m)
	assert.True(t, ran)
}

func TestWakeHasChannelsAskedAgain(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		a, _ := ends(t)
		asked := make(chan struct{}, 1)
		c := &waiting{asked: asked}
		c.Init(c, m)
		require.NoError(t, c.Attach(a))
		ended := endless(m)
		for range 3 {
			<-asked
			m.Wake()
		}
		m.Do(func() { assert.NoError(t, c.Close()) })
		for {
			select {
			case <-asked:
				continue
			case err := <-ended:
				require.NoError(t, err)
			}
			break
		}
	})
}

type waiting struct {
	engine.Dispatcher
	asked chan struct{}
}

func (w *waiting) Readable() bool {
	w.asked <- struct{}{}
	return true
}

func TestContextEndsTheLoop(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, _ := connection(t, m)
		err := m.Loop(meaning, engine.WithContext(cancelled()))
		assert.ErrorIs(t, err, context.Canceled)

		ctx, cancel := context.WithCancelCause(context.Background())
		ended := endless(m, meaning, engine.WithContext(ctx))
		inside := make(chan struct{})
		m.Do(func() { close(inside) })
		<-inside
		cancel(errHandler)
		assert.ErrorIs(t, <-ended, errHandler)

		ctx, stop := context.WithCancel(context.Background())
		c.SetWritable(true)
		c.write = func() error { stop(); return nil }
		assert.ErrorIs(t, m.Loop(meaning, engine.WithContext(ctx)), context.Canceled)
		assert.Equal(t, []string{"write"}, c.seen)
		onePass(t, m, engine.WithContext(context.Background()))
	})
}

func TestContextEndsAnOuterLoopAfterTheInnerOne(t *testing.T) {
	m := newMap(t, "")
	c, _ := connection(t, m)
	ctx, stop := context.WithCancel(context.Background())
	c.SetWritable(true)
	c.write = func() error {
		c.write = func() error { stop(); return nil }
		return m.Loop(engine.WithCount(1))
	}
	assert.ErrorIs(t, m.Loop(engine.WithContext(ctx)), context.Canceled)
	assert.Equal(t, []string{"write", "write"}, c.seen)
}
