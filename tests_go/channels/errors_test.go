package channels

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
)

var errHandler = errors.New("a handler's own")

func TestErrorGoesToHandleError(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, _ := connection(t, m)
		c.SetWritable(true)
		c.write = func() error { return fmt.Errorf("wrapped: %w", errHandler) }
		var got error
		c.failed = func(err error) error { got = err; return nil }
		onePass(t, m, meaning)
		assert.ErrorIs(t, got, errHandler)
		assert.Equal(t, []string{"write", "error"}, c.seen)
		assert.Equal(t, 1, m.Len())
	})
}

func TestPanicGoesToHandleErrorWithItsStack(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, _ := connection(t, m)
		c.SetWritable(true)
		var got error
		c.failed = func(err error) error { got = err; return nil }
		c.write = func() error { panicking("that was all"); return nil }
		onePass(t, m, meaning)
		var p *engine.PanicError
		require.ErrorAs(t, got, &p)
		assert.Equal(t, "that was all", p.Value)
		assert.ErrorContains(t, got, "that was all")
		assert.Contains(t, string(p.Stack), "channels.panicking")
		c.write = func() error { panicking(errHandler); return nil }
		onePass(t, m, meaning)
		assert.ErrorIs(t, got, errHandler)
		c.write = func() error { return errors.New([]string{}[len(c.seen):][0]) }
		onePass(t, m, meaning)
		assert.ErrorContains(t, got, "out of range")
	})
}

func panicking(value any) { panic(value) }

func TestExitNowLeavesTheLoop(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, _ := connection(t, m)
		d, _ := connection(t, m)
		c.SetWritable(true)
		d.SetWritable(true)
		for _, exit := range []func() error{
			func() error { return engine.ErrExitNow },
			func() error { return fmt.Errorf("done: %w", engine.ErrExitNow) },
			func() error { panic(engine.ErrExitNow) },
		} {
			c.write = exit
			assert.ErrorIs(t, m.Loop(meaning), engine.ErrExitNow)
		}
		assert.Equal(t, []string{"write", "write", "write"}, c.seen)
		assert.Empty(t, d.seen)
	})
}

func TestWhatHandleErrorReturnsLeavesTheLoop(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, _ := connection(t, m)
		c.SetWritable(true)
		c.write = func() error { return errHandler }
		c.failed = func(err error) error { return fmt.Errorf("reported: %w", err) }
		err := m.Loop(meaning)
		assert.ErrorIs(t, err, errHandler)
		assert.ErrorContains(t, err, "reported")
		c.failed = func(error) error { panic("again") }
		assert.PanicsWithValue(t, "again", func() { _ = m.Loop(meaning) })
		c.write = nil
		onePass(t, m, meaning)
	})
}

func TestLostConnectionIsACloseInPollsMeaning(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		c, _ := connection(t, m)
		c.SetWritable(true)
		c.write = func() error { return fmt.Errorf("write: %w", unix.EPIPE) }
		c.failed = func(error) error { return nil }
		c.closed = func() error { return nil }
		onePass(t, m)
		assert.Equal(t, []string{"write", "error"}, c.seen)
		onePass(t, m, engine.WithPoll())
		assert.Equal(t, []string{"write", "error", "write", "close"}, c.seen)
	})
}

func TestUncaughtErrorIsLoggedAndClosesTheChannel(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		for _, fail := range []func() error{
			func() error { return errHandler },
			func() error { panicking(errHandler); return nil },
		} {
			a, _ := ends(t)
			c := &logging{fail: fail}
			c.Init(c, m)
			require.NoError(t, c.Attach(a))
			onePass(t, m, meaning)
			require.Len(t, c.lines, 1)
			assert.Contains(t, c.lines[0], "error: uncaught error, closing channel <*channels.logging connected at ")
			assert.Contains(t, c.lines[0], errHandler.Error())
			assert.Zero(t, m.Len())
			assert.Equal(t, -1, c.Socket().FD())
		}
	})
}

type logging struct {
	engine.Dispatcher
	fail  func() error
	lines []string
}

func (l *logging) HandleWrite() error { return l.fail() }

func (l *logging) LogInfo(kind, message string) { l.lines = append(l.lines, kind+": "+message) }

func TestPanicInAPredicateLeavesTheLoop(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		before, _ := connection(t, m)
		before.SetWritable(true)
		var order []string
		a, _ := ends(t)
		c := &broken{choosy: choosy{asked: &order}, panics: true}
		c.Init(c, m)
		require.NoError(t, c.Attach(a))
		assert.PanicsWithValue(t, "predicate", func() { _ = m.Loop(meaning) })
		assert.Empty(t, before.seen)
		c.panics = false
		onePass(t, m, meaning)
		assert.Equal(t, []string{"write"}, before.seen)
	})
}

type broken struct {
	choosy
	panics bool
}

func (b *broken) Readable() bool {
	if b.panics {
		panic("predicate")
	}
	return true
}
