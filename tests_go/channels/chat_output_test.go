package channels

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
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

func TestPushSendsAtOnceAndQueuesTheRest(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, peer := newTalker(t, m)
		require.NoError(t, c.Push([]byte("at once")))
		assert.Equal(t, "at once", text(t, peer))
		data := fds.Pattern(3 << 20)
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
		at, got := receiving(t, m)
		c := &talker{}
		c.Init(c, m)
		require.NoError(t, errors.Join(c.CreateSocket("tcp"), c.Connect(at), c.Push([]byte("early"))))
		loopUntil(t, m, func() bool { return len(*got) == 5 }, meaning)
		assert.Equal(t, "early", string(*got))
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
