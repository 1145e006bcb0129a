package passes

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

func TestInterest(t *testing.T) {
	const both, priority = read | write, poller.Priority
	for _, c := range []struct{ want, asSelect, asPoll poller.Events }{
		{0, 0, 0},
		{read, read | priority, read | priority},
		{write, write | priority, write},
		{both, both | priority, both | priority},
		{poller.Error | poller.Hangup, 0, 0},
	} {
		assert.Equal(t, c.asSelect, selector.Select.Interest(c.want), "select, %#x", c.want)
		assert.Equal(t, c.asPoll, selector.Poll.Interest(c.want), "poll, %#x", c.want)
	}
}

func TestReady(t *testing.T) {
	const both, priority = read | write, poller.Priority
	const fault, hangup, invalid = poller.Error, poller.Hangup, poller.Invalid
	for _, c := range []struct{ want, got, asSelect, asPoll poller.Events }{
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
		assert.Equal(t, c.asSelect, selector.Select.Ready(c.want, c.got), "select, %#x of %#x", c.want, c.got)
		assert.Equal(t, c.asPoll, selector.Poll.Ready(c.want, c.got), "poll, %#x of %#x", c.want, c.got)
	}
}

func TestHungUpStreamIsReadableToSelectAndHungUpToPoll(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, b := fds.Pair(t)
		require.NoError(t, unix.Close(b))
		told := found(t, s, once(want(a, read)), m, long)
		require.Len(t, told, 1)
		if m == selector.Select || s.Poller().Name() == "select" {
			assert.Equal(t, read, told[0].Events)
		} else {
			assert.Equal(t, read|poller.Hangup, told[0].Events)
		}
	})
}

func TestBrokenPipeIsWritableToSelectAndAnErrorToPoll(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		var ends [2]int
		require.NoError(t, unix.Pipe(ends[:]))
		fds.Closing(t, ends[1])
		require.NoError(t, unix.Close(ends[0]))
		told := found(t, s, once(want(ends[1], write)), m, long)
		require.Len(t, told, 1)
		if m == selector.Select || s.Poller().Name() == "select" {
			assert.Equal(t, write, told[0].Events)
		} else {
			assert.Equal(t, write|poller.Error, told[0].Events)
		}
	})
}

func TestPriorityDataOfAChannelThatOnlyWrites(t *testing.T) {
	onEachSelector(t, func(t *testing.T, s *selector.Selector) {
		a, b := fds.TCP(t)
		require.NoError(t, unix.Sendto(b, []byte("!"), unix.MSG_OOB, nil))
		src := once(want(a, write))
		// One selector, one registration, and the meaning changes under it.
		for range 2 {
			assert.Equal(t, []poller.Ready{is(a, write|poller.Priority)}, found(t, s, src, selector.Select, long))
			assert.Equal(t, []poller.Ready{is(a, write)}, found(t, s, src, selector.Poll, long))
		}
	})
}

func TestPriorityDataAloneEndsTheWait(t *testing.T) {
	onEachMeaning(t, func(t *testing.T, s *selector.Selector, m selector.Meaning) {
		a, b := fds.TCP(t)
		require.NoError(t, unix.Sendto(b, []byte("!"), unix.MSG_OOB, nil))
		assert.Equal(t, []poller.Ready{is(a, poller.Priority)}, found(t, s, once(want(a, read)), m, long))
	})
}
