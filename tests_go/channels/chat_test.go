package channels

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/engine/chat"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

// talker is a chat.Channel that writes down what it finds.
type talker struct {
	chat.Channel
	pieces  []string
	pending []byte
	found   []string
	then    func() error
	failed  error
	closes  int
}

func (c *talker) CollectIncomingData(data []byte) error {
	c.pieces = append(c.pieces, string(data))
	c.pending = append(c.pending, data...)
	return nil
}

func (c *talker) FoundTerminator() error {
	c.found = append(c.found, string(c.pending))
	c.pending = nil
	if c.then != nil {
		return c.then()
	}
	return nil
}

func (c *talker) HandleError(err error) error {
	c.failed = err
	return nil
}

func (c *talker) HandleClose() error {
	c.closes++
	return c.Close()
}

func newTalker(t *testing.T, m *engine.Map) (*talker, *engine.Socket) {
	a, peer := ends(t)
	c := &talker{}
	c.Init(c, m)
	require.NoError(t, c.Attach(a))
	return c, peer
}

// hear has c receive the input, one piece a pass.
func hear(t *testing.T, m *engine.Map, peer *engine.Socket, pieces ...string) {
	for _, piece := range pieces {
		say(t, peer, piece)
		require.NoError(t, m.Loop(engine.WithTimeout(long), engine.WithCount(1)))
	}
}

func TestLines(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		c, peer := newTalker(t, m)
		c.SetTerminator(chat.Until("\r\n"))
		assert.Equal(t, "\r\n", c.Terminator().Text())
		hear(t, m, peer, "one\r\ntwo\r\nthr", "ee\r", "\n\r\n", "rest\r")
		assert.Equal(t, []string{"one", "two", "three", ""}, c.found)
		assert.Equal(t, []string{"one", "two", "thr", "ee", "rest"}, c.pieces, "nothing empty, no terminator")
		hear(t, m, peer, "x\r", "\r", "\n")
		assert.Equal(t, "rest\rx\r", c.found[4])
	})
}

func TestEveryCutGivesTheSame(t *testing.T) {
	const input = "aXXbXXXcXYXXXYdXXY"
	for _, terminator := range []string{"X", "XX", "XXY", "XXXY", "aX", "XXYX"} {
		parts := strings.Split(input+terminator, terminator)
		for cut := range len(input) {
			m := newMap(t, "")
			c, peer := newTalker(t, m)
			c.SetTerminator(chat.Until(terminator))
			hear(t, m, peer, (input + terminator)[:cut+1], (input + terminator)[cut+1:])
			assert.Equal(t, parts[:len(parts)-1], c.found, "%q cut at %d", terminator, cut)
			held, ok := strings.CutPrefix(parts[len(parts)-1], string(c.pending))
			assert.True(t, ok)
			assert.True(t, strings.HasPrefix(terminator, held), "%q is held back", held)
		}
	}
}

func TestCounted(t *testing.T) {
	m := newMap(t, "")
	c, peer := newTalker(t, m)
	c.SetTerminator(chat.Count(5))
	c.then = func() error {
		c.SetTerminator(chat.Count(2))
		return nil
	}
	hear(t, m, peer, "he")
	assert.Equal(t, 3, c.Terminator().Remaining())
	hear(t, m, peer, "lloab", "c")
	assert.Equal(t, []string{"hello", "ab"}, c.found)
	assert.Equal(t, "c", string(c.pending))
	assert.Equal(t, 1, c.Terminator().Remaining())
	assert.Panics(t, func() { chat.Count(-1) })
}

func TestEverythingIsCollected(t *testing.T) {
	for _, terminator := range []chat.Terminator{chat.Everything, chat.Until(""), chat.Count(0)} {
		m := newMap(t, "")
		c, peer := newTalker(t, m)
		c.SetTerminator(terminator)
		hear(t, m, peer, "all\r\n", "of it")
		assert.Equal(t, []string{"all\r\n", "of it"}, c.pieces)
		assert.Empty(t, c.found)
	}
}

func TestTerminatorMayChangeWithinInput(t *testing.T) {
	m := newMap(t, "")
	c, peer := newTalker(t, m)
	c.SetTerminator(chat.Until("\n"))
	c.then = func() error {
		if n := len(c.found); n%2 == 1 {
			size := 0
			_, err := fmt.Sscan(c.found[n-1], &size)
			c.SetTerminator(chat.Count(size))
			return err
		}
		c.SetTerminator(chat.Until("\n"))
		return nil
	}
	hear(t, m, peer, "3\nabc2\nde", "10\n0123", "4567891\nx")
	assert.Equal(t, []string{"3", "abc", "2", "de", "10", "0123456789", "1", "x"}, c.found)
}

func TestTerminatorChangedWhileHalfOfItIsThere(t *testing.T) {
	m := newMap(t, "")
	c, peer := newTalker(t, m)
	c.SetTerminator(chat.Until("ABCD"))
	hear(t, m, peer, "xABC")
	assert.Equal(t, []string{"x"}, c.pieces)
	c.SetTerminator(chat.Until("BCE"))
	hear(t, m, peer, "Ey")
	assert.Equal(t, []string{"xA"}, c.found)
	assert.Equal(t, "y", string(c.pending))
}

func TestErrorInAHandlerLosesNoInput(t *testing.T) {
	m := newMap(t, "")
	c, peer := newTalker(t, m)
	c.SetTerminator(chat.Until("\n"))
	c.then = func() error { c.then = nil; return errHandler }
	hear(t, m, peer, "one\ntwo\nthree")
	assert.ErrorIs(t, c.failed, errHandler)
	c.then = func() error { c.then = nil; panic(errHandler) }
	hear(t, m, peer, "\n")
	hear(t, m, peer, "four\n")
	assert.Equal(t, []string{"one", "two", "three", "four"}, c.found)
}

func TestNestedLoopInFoundTerminatorKeepsTheOrder(t *testing.T) {
	m := newMap(t, "")
	c, peer := newTalker(t, m)
	c.SetTerminator(chat.Until("\n"))
	c.then = func() error {
		c.then = nil
		say(t, peer, "four\nfive")
		return m.Loop(engine.WithTimeout(long), engine.WithCount(1))
	}
	hear(t, m, peer, "one\ntwo\nthree\n")
	hear(t, m, peer, "\n")
	assert.Equal(t, []string{"one", "two", "three", "four", "five"}, c.found)
}

func TestDiscardedBuffersAreGone(t *testing.T) {
	m := newMap(t, "")
	c, peer := newTalker(t, m)
	c.SetTerminator(chat.Until("\n"))
	c.then = func() error {
		c.DiscardBuffers()
		return nil
	}
	hear(t, m, peer, "one\ntwo\nthree\n")
	assert.Equal(t, []string{"one"}, c.found)
	fds.Fill(t, c.Socket().FD())
	require.NoError(t, c.Push([]byte("never sent")))
	c.DiscardBuffers()
	for text(t, peer) != "" {
	}
	onePass(t, m)
	assert.Empty(t, text(t, peer))
}
