package tests_go

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/engine/chat"
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
	fill(t, c.Socket().FD())
	require.NoError(t, c.Push([]byte("never sent")))
	c.DiscardBuffers()
	for text(t, peer) != "" {
	}
	onePass(t, m)
	assert.Empty(t, text(t, peer))
}

func TestPushSendsAtOnceAndQueuesTheRest(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, peer := newTalker(t, m)
		require.NoError(t, c.Push([]byte("at once")))
		assert.Equal(t, "at once", text(t, peer))
		data := pattern(3 << 20)
		own := bytes.Clone(data)
		require.NoError(t, c.Push(own))
		clear(own)
		require.NoError(t, c.PushWithProducer(chat.NewSimpleProducer(data, 5000)))
		require.NoError(t, c.PushWithProducer(chat.NewReaderProducer(bytes.NewReader(data), 0)))
		require.NoError(t, c.PushWithProducer(chat.NewSimpleProducer([]byte("ab"), 0)))
		require.NoError(t, c.Push(nil))
		for i := range 1000 {
			require.NoError(t, c.Push(fmt.Append(nil, i)))
		}
		c.CloseWhenDone()
		expected := bytes.Repeat(data, 3)
		expected = append(expected, "ab"...)
		for i := range 1000 {
			expected = fmt.Append(expected, i)
		}
		got := drain(t, m, peer, len(expected), meaning)
		assert.True(t, bytes.Equal(expected, got))
		loopUntil(t, m, func() bool { return c.closes > 0 || m.Len() == 0 }, meaning)
		assert.Equal(t, 1, c.closes)
	})
}

func TestPushBeforeTheConnection(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		server, at := listening(t, m, "tcp", "127.0.0.1:0")
		var got []byte
		server.accepted = func(sock *engine.Socket, _ engine.Addr) error {
			r := newChannel(t, m, sock)
			r.read = func() error {
				n, err := r.Recv(m.Buffer())
				got = append(got, m.Buffer()[:n]...)
				return err
			}
			return nil
		}
		c := &talker{}
		c.Init(c, m)
		require.NoError(t, errors.Join(c.CreateSocket("tcp"), c.Connect(at), c.Push([]byte("early"))))
		loopUntil(t, m, func() bool { return len(got) == 5 }, meaning)
		assert.Equal(t, "early", string(got))
	})
}

func TestFailingProducer(t *testing.T) {
	m := newMap(t, "")
	c, _ := newTalker(t, m)
	err := c.PushWithProducer(chat.NewReaderProducer(&failingReader{}, 0))
	assert.ErrorIs(t, err, unix.EIO)
	onePass(t, m)
	assert.ErrorIs(t, c.failed, unix.EIO)
}

type failingReader struct{}

func (*failingReader) Read([]byte) (int, error) { return 0, unix.EIO }

func TestClosedByTheOtherEnd(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, peer := newTalker(t, m)
		c.SetTerminator(chat.Until("\n"))
		say(t, peer, "last words")
		require.NoError(t, peer.Close())
		require.NoError(t, m.Loop(meaning, engine.WithTimeout(long)))
		assert.Equal(t, "last words", string(c.pending))
		assert.Positive(t, c.closes)
	})
}

// A search that starts anew for each piece, or keeps no more than the last byte, would take hours.
func TestTerminatorSearchIsLinear(t *testing.T) {
	const size = 1 << 20
	text := strings.Repeat("a", size) + "b"
	terminator := chat.Until(text)
	matched := 0
	for i := range 8 {
		var at int
		at, matched = terminator.Search(bytes.Repeat([]byte("a"), size*(i+1)/8), matched)
		require.Equal(t, -1, at)
	}
	assert.Equal(t, size, matched)
	at, begun := terminator.Search([]byte(strings.Repeat("a", 3*size)+"b"), matched)
	assert.Equal(t, 2*size, at)
	assert.Zero(t, begun)

	m := newMap(t, "")
	c, peer := newTalker(t, m)
	c.SetTerminator(chat.Until(strings.Repeat("a", 1<<16) + "b"))
	for range 20_000 { // of which each would have to look at all again
		hear(t, m, peer, "aaaa")
	}
	hear(t, m, peer, "b")
	require.Len(t, c.found, 1)
	assert.Len(t, c.found[0], 80_000-1<<16)
}

func BenchmarkTerminatorSearch(b *testing.B) {
	for _, input := range []string{"GET / HTTP/1.1", strings.Repeat("\r", 1000), strings.Repeat("x", 60_000)} {
		b.Run(fmt.Sprint(len(input)), func(b *testing.B) {
			data := []byte(input + "\r\n")
			terminator := chat.Until("\r\n")
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if at, _ := terminator.Search(data, 0); at < 0 {
					b.Fatal("not found")
				}
			}
		})
	}
}
