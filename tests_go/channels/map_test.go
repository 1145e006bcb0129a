package channels

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

func TestLoopEndsWhenTheMapIsEmpty(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		require.NoError(t, m.Loop(meaning))
		c, peer := connection(t, m)
		c.read = func() error {
			_, err := c.Recv(m.Buffer())
			return err
		}
		require.NoError(t, peer.Close())
		require.NoError(t, m.Loop(meaning, engine.WithTimeout(long)))
		assert.Contains(t, c.seen, "close")
		assert.Zero(t, m.Len())
		assert.Equal(t, -1, c.Socket().FD())
	})
}

func TestLoopMakesSoManyPasses(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, _ := connection(t, m)
		c.SetWritable(true)
		require.NoError(t, m.Loop(meaning, engine.WithCount(3)))
		assert.Equal(t, []string{"write", "write", "write"}, c.seen)
		require.NoError(t, m.Loop(meaning, engine.WithCount(0)))
		assert.Len(t, c.seen, 3)
	})
}

func TestPassWaitsForItsTimeout(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, _ := connection(t, m)
		began := time.Now()
		require.NoError(t, m.Loop(meaning, engine.WithTimeout(3*time.Millisecond), engine.WithCount(2)))
		assert.GreaterOrEqual(t, time.Since(began), 6*time.Millisecond)
		assert.Empty(t, c.seen)
	})
}

func TestLoopServesTheMapThatItIsGiven(t *testing.T) {
	m, other := newMap(t, ""), newMap(t, "")
	c, _ := connection(t, m)
	d, _ := connection(t, other)
	c.SetWritable(true)
	d.SetWritable(true)
	require.NoError(t, engine.Loop(engine.WithMap(m), engine.WithCount(1)))
	assert.Equal(t, []string{"write"}, c.seen)
	assert.Empty(t, d.seen)
}

func TestChannelsWithoutAMapAreInTheDefaultOne(t *testing.T) {
	c, _ := connection(t, nil)
	defer func() { assert.NoError(t, engine.DefaultMap().CloseAll()) }()
	assert.Same(t, engine.DefaultMap(), c.Map())
	c.write = func() error { return engine.ErrExitNow }
	c.SetWritable(true)
	require.ErrorIs(t, engine.Loop(), engine.ErrExitNow)
}

func TestChannelsAreToldInMapOrder(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		var order []int
		var channels []*channel
		for i := range 20 {
			c, _ := connection(t, m)
			c.SetWritable(true)
			c.write = func() error { order = append(order, i); return nil }
			channels = append(channels, c)
		}
		// Out and in again is at the end, whatever the number.
		channels[3].DelChannel()
		require.NoError(t, channels[3].AddChannel())
		onePass(t, m, meaning)
		assert.Equal(t, []int{0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 3}, order)
		assert.Same(t, channels[3], m.Channels()[19].Handler())
	})
}

func TestReplacedChannelKeepsItsPlace(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		first, _ := connection(t, m)
		second, _ := connection(t, m)
		onePass(t, m, meaning)
		newcomer := newChannel(t, m, first.Endpoint())
		assert.Equal(t, 2, m.Len())
		assert.Same(t, newcomer, m.Channels()[0].Handler())
		assert.Same(t, second, m.Channels()[1].Handler())
		first.DelChannel() // not its own any more
		assert.Equal(t, 2, m.Len())
		newcomer.SetWritable(true)
		onePass(t, m, meaning)
		assert.Equal(t, []string{"write"}, newcomer.seen)
		assert.Empty(t, first.seen)
	})
}

func TestRemovedChannelGetsNoEvent(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		first, _ := connection(t, m)
		second, _ := connection(t, m)
		third, _ := connection(t, m)
		var newcomer *channel
		first.write = func() error {
			second.DelChannel()
			first.SetWritable(false)
			a, _ := fds.Pair(t)
			number := third.Socket().FD()
			require.NoError(t, third.Close())
			require.NoError(t, fds.Dup2(a, number))
			newcomer = &channel{}
			newcomer.Init(newcomer, m)
			return newcomer.SetSocket(&numbered{fd: fds.Closing(t, number)})
		}
		for _, c := range []*channel{first, second, third} {
			c.SetWritable(true)
		}
		onePass(t, m, meaning)
		assert.Equal(t, []string{"write"}, first.seen)
		assert.Empty(t, second.seen)
		assert.Empty(t, third.seen)
		assert.Empty(t, newcomer.seen)
		onePass(t, m, meaning)
		assert.Equal(t, []string{"write"}, newcomer.seen)
		newcomer.DelChannel()
	})
}

// numbered is an Endpoint that is a number alone.
type numbered struct{ fd int }

func (n *numbered) FD() int                  { return n.fd }
func (n *numbered) Recv([]byte) (int, error) { return 0, unix.EAGAIN }
func (n *numbered) Send([]byte) (int, error) { return 0, unix.EAGAIN }
func (n *numbered) Close() error             { return nil }

func TestReusedNumberIsAnotherChannel(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		for range 3 {
			c, peer := connection(t, m)
			c.read = func() error {
				_, err := c.Recv(m.Buffer())
				return err
			}
			onePass(t, m, meaning)
			assert.Empty(t, c.seen)
			say(t, peer, "x")
			loopUntil(t, m, func() bool { return len(c.seen) > 0 }, meaning)
			require.NoError(t, c.Close())
		}
	})
}

func TestChangesTakeEffectInTheNextPass(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c, peer := connection(t, m)
		say(t, peer, "x")
		c.SetReadable(false)
		onePass(t, m, meaning)
		assert.Empty(t, c.seen)
		c.SetReadable(true)
		onePass(t, m, meaning)
		assert.Equal(t, []string{"read"}, c.seen)
		c.SetReadable(false)
		c.SetWritable(true)
		onePass(t, m, meaning)
		assert.Equal(t, []string{"read", "write"}, c.seen)
		c.SetWritable(false)
		onePass(t, m, meaning)
		assert.Len(t, c.seen, 2)
	})
}

func TestNestedLoop(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		outer, peer := connection(t, m)
		inner, far := connection(t, m)
		outer.read = func() error {
			fds.Take(t, outer.Socket().FD())
			say(t, far, "x")
			loopUntil(t, m, func() bool { return len(inner.seen) > 0 }, meaning)
			return nil
		}
		inner.read = func() error {
			fds.Take(t, inner.Socket().FD())
			return nil
		}
		say(t, peer, "x")
		loopUntil(t, m, func() bool { return len(inner.seen) > 0 }, meaning)
		assert.Equal(t, []string{"read"}, outer.seen)
		assert.Equal(t, []string{"read"}, inner.seen)
		say(t, far, "x")
		loopUntil(t, m, func() bool { return len(inner.seen) > 1 }, meaning)
	})
}

func TestNestedLoopOverAnEmptiedMapEnds(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		c, _ := connection(t, m)
		c.SetWritable(true)
		c.write = func() error {
			c.write = c.Close
			return m.Loop(engine.WithTimeout(long))
		}
		require.NoError(t, m.Loop(engine.WithTimeout(long)))
		assert.Equal(t, []string{"write", "write"}, c.seen)
	})
}
