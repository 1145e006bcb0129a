package tests_go

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
)

func TestInterest(t *testing.T) {
	const both, priority = read | write, engine.Priority
	for _, c := range []struct{ want, asSelect, asPoll engine.Events }{
		{0, 0, 0},
		{read, read | priority, read | priority},
		{write, write | priority, write},
		{both, both | priority, both | priority},
		{engine.Error | engine.Hangup, 0, 0},
	} {
		assert.Equal(t, c.asSelect, engine.Select.Interest(c.want), "select, %#x", c.want)
		assert.Equal(t, c.asPoll, engine.Poll.Interest(c.want), "poll, %#x", c.want)
	}
}

func TestReady(t *testing.T) {
	const both, priority = read | write, engine.Priority
	const fault, hangup, invalid = engine.Error, engine.Hangup, engine.Invalid
	for _, c := range []struct{ want, got, asSelect, asPoll engine.Events }{
		{0, both | priority | fault | hangup | invalid, 0, 0},
		{read, read, read, read},
		{read, write, 0, 0},
		{write, read, 0, 0},
		{both, both, both, both},
		{read, hangup, read, hangup},
		{read, fault, read, fault},
		{read, read | hangup, read, read | hangup},
		{write, hangup, 0, hangup},
		{write, fault, write, fault},
		{write, write | hangup, write, write | hangup},
		{both, fault | hangup, both, fault | hangup},
		{both, invalid, 0, invalid},
		{read, priority, priority, priority},
		{write, priority, priority, 0},
		{both, priority | read, priority | read, priority | read},
	} {
		assert.Equal(t, c.asSelect, engine.Select.Ready(c.want, c.got), "select, %#x of %#x", c.want, c.got)
		assert.Equal(t, c.asPoll, engine.Poll.Ready(c.want, c.got), "poll, %#x of %#x", c.want, c.got)
	}
}

func TestHungUpStreamIsReadableToSelectAndHungUpToPoll(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *engine.Selector, m engine.Meaning) {
		a, b := pair(t)
		require.NoError(t, unix.Close(b))
		told := found(t, s, once(want(a, read)), m, long)
		require.Len(t, told, 1)
		if m == engine.Select || s.Poller().Name() == "select" {
			assert.Equal(t, read, told[0].Events)
		} else {
			assert.Equal(t, read|engine.Hangup, told[0].Events)
		}
	})
}

func TestBrokenPipeIsWritableToSelectAndAnErrorToPoll(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *engine.Selector, m engine.Meaning) {
		var ends [2]int
		require.NoError(t, unix.Pipe(ends[:]))
		closing(t, ends[1])
		require.NoError(t, unix.Close(ends[0]))
		told := found(t, s, once(want(ends[1], write)), m, long)
		require.Len(t, told, 1)
		if m == engine.Select || s.Poller().Name() == "select" {
			assert.Equal(t, write, told[0].Events)
		} else {
			assert.Equal(t, write|engine.Error, told[0].Events)
		}
	})
}

func TestPriorityDataOfAChannelThatOnlyWrites(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *engine.Selector) {
		a, b := tcp(t)
		require.NoError(t, unix.Sendto(b, []byte("!"), unix.MSG_OOB, nil))
		src := once(want(a, write))
		// One selector, one registration, and the meaning changes under it.
		for range 2 {
			assert.Equal(t, []engine.Ready{is(a, write|engine.Priority)}, found(t, s, src, engine.Select, long))
			assert.Equal(t, []engine.Ready{is(a, write)}, found(t, s, src, engine.Poll, long))
		}
	})
}

func TestPriorityDataAloneEndsTheWait(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *engine.Selector, m engine.Meaning) {
		a, b := tcp(t)
		require.NoError(t, unix.Sendto(b, []byte("!"), unix.MSG_OOB, nil))
		assert.Equal(t, []engine.Ready{is(a, engine.Priority)}, found(t, s, once(want(a, read)), m, long))
	})
}
