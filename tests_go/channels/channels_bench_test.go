package channels

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/engine/chat"

	"github.com/goasyncore/goasyncore/engine/poller"
)

// player receives and sends the same back, turns times.
type player struct {
	engine.DispatcherWithSend
	turns int
}

func (p *player) HandleRead() error {
	buffer := p.Map().Buffer()
	n, err := p.Recv(buffer)
	if p.turns--; p.turns < 0 || err != nil {
		return engine.ErrExitNow
	}
	_, err = p.Send(buffer[:n])
	return err
}

// game is two players that have each other's ball; play makes turns of it.
func game(t testing.TB, m *engine.Map) (play func(turns int)) {
	var players [2]*player
	for i, fd := range stream(t) {
		players[i] = &player{}
		players[i].Init(players[i], m)
		require.NoError(t, players[i].Attach(fd))
	}
	return func(turns int) {
		players[0].turns, players[1].turns = turns/2, turns
		_, err := players[0].Send([]byte("ball"))
		require.NoError(t, err)
		err = m.Loop(engine.WithTimeout(-1))
		require.ErrorIs(t, err, engine.ErrExitNow)
	}
}

var line = []byte("a line\r\n")

// talk is a line that is answered by itself.
type talk struct {
	chat.Channel
	turns int
}

func (c *talk) CollectIncomingData([]byte) error { return nil }

func (c *talk) FoundTerminator() error {
	if c.turns--; c.turns < 0 {
		return engine.ErrExitNow
	}
	return c.Push(line)
}

func conversation(t testing.TB, m *engine.Map) (play func(turns int)) {
	var ends [2]*talk
	for i, fd := range stream(t) {
		ends[i] = &talk{}
		ends[i].Init(ends[i], m)
		ends[i].SetTerminator(chat.Until("\r\n"))
		require.NoError(t, ends[i].Attach(fd))
	}
	return func(turns int) {
		ends[0].turns, ends[1].turns = turns/2, turns
		require.NoError(t, ends[0].Push(line))
		require.ErrorIs(t, m.Loop(engine.WithTimeout(-1)), engine.ErrExitNow)
	}
}

func TestEventsAllocateNothing(t *testing.T) {
	kinds := map[string]func(testing.TB, *engine.Map) func(int){"send": game, "chat": conversation}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			onEachMap(t, func(t *testing.T, m *engine.Map) {
				play := kind(t, m)
				play(100)
				few := testing.AllocsPerRun(5, func() { play(10) })
				many := testing.AllocsPerRun(5, func() { play(10_000) })
				assert.LessOrEqual(t, many, few+10, "what a loop allocates does not depend on what happens")
			})
		})
	}
}

func BenchmarkEcho(b *testing.B) {
	for _, name := range poller.Names() {
		b.Run(name, func(b *testing.B) {
			m := engine.NewMapOn(name)
			defer m.Close()
			play := game(b, m)
			b.ReportAllocs()
			b.ResetTimer()
			play(b.N)
		})
	}
}

func BenchmarkLine(b *testing.B) {
	m := engine.NewMap()
	defer m.Close()
	play := conversation(b, m)
	b.ReportAllocs()
	b.ResetTimer()
	play(b.N)
}

// BenchmarkPass is a pass over idle channels and one that is ready.
func BenchmarkPass(b *testing.B) {
	for _, idle := range []int{0, 100, 1000, 9000} {
		b.Run(fmt.Sprint(idle), func(b *testing.B) {
			m := engine.NewMap()
			defer m.Close()
			for range idle / 2 {
				for _, sock := range stream(b) {
					d := &engine.DispatcherWithSend{}
					d.Init(d, m)
					require.NoError(b, d.Attach(sock))
				}
			}
			busy := &engine.Dispatcher{}
			busy.Init(&writes{}, m)
			require.NoError(b, busy.Attach(stream(b)[0]))
			require.NoError(b, m.Loop(engine.WithCount(1)))
			b.ReportAllocs()
			b.ResetTimer()
			require.NoError(b, m.Loop(engine.WithCount(b.N)))
		})
	}
}

type writes struct{}

func (*writes) HandleWrite() error { return nil }

// BenchmarkDispatch is the cost of telling one of many channels that are all ready.
func BenchmarkDispatch(b *testing.B) {
	const channels = 100
	m := engine.NewMap()
	defer m.Close()
	for range channels {
		d := &engine.Dispatcher{}
		d.Init(&writes{}, m)
		require.NoError(b, d.Attach(stream(b)[0]))
	}
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, m.Loop(engine.WithCount(1000/channels)))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
}
