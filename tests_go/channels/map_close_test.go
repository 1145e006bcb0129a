package channels

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

func TestPredicateThatEmptiesTheMapEndsTheLoop(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		c := &quitter{}
		c.Init(c, m)
		for range 2 {
			a, _ := ends(t)
			require.NoError(t, c.Attach(a))
			require.NoError(t, m.Loop(meaning, engine.WithTimeout(-1)))
		}
		assert.Equal(t, 4, c.asked)
	})
}

// quitter closes when it is asked for the second time.
type quitter struct {
	engine.Dispatcher
	asked int
}

func (q *quitter) Writable() bool {
	if q.asked++; q.asked%2 == 0 {
		_ = q.Map().CloseAll()
	}
	return true
}

func TestCloseAllClosesTheRestAfterAFailure(t *testing.T) {
	m := newMap(t, "")
	broken := &failing{err: unix.EIO}
	closed := &failing{err: unix.EBADF}
	for _, f := range []*failing{broken, closed} {
		f.fd, _ = fds.Pair(t)
		d := &engine.Dispatcher{}
		d.Init(nil, m)
		require.NoError(t, d.SetSocket(f))
	}
	last, _ := connection(t, m)
	err := m.CloseAll()
	assert.ErrorIs(t, err, unix.EIO)
	assert.NotErrorIs(t, err, unix.EBADF)
	assert.Equal(t, -1, last.Socket().FD())
	assert.Zero(t, m.Len())
	assert.NoError(t, m.CloseAll())
}

// failing is an Endpoint that cannot be closed.
type failing struct {
	numbered
	err error
}

func (f *failing) Close() error { return f.err }

func TestCloseAllCallsTheHandlersOwnClose(t *testing.T) {
	m := newMap(t, "")
	a, _ := ends(t)
	c := &counting{}
	c.Init(c, m)
	require.NoError(t, c.Attach(a))
	require.NoError(t, m.CloseAll())
	assert.Equal(t, 1, c.closes)
}

type counting struct {
	engine.Dispatcher
	closes int
}

func (c *counting) Close() error {
	c.closes++
	return c.Dispatcher.Close()
}

func TestMapGoesOnAfterItsCloseAndAfterAnError(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		c, _ := connection(t, m)
		c.SetWritable(true)
		onePass(t, m)
		require.NoError(t, m.Close())
		onePass(t, m)
		assert.Equal(t, []string{"write", "write"}, c.seen)
		c.write = func() error { return engine.ErrExitNow }
		require.ErrorIs(t, m.Loop(), engine.ErrExitNow)
		c.write = nil
		onePass(t, m)
		assert.Len(t, c.seen, 4)
	})
}

func TestClosedBehindTheMapsBack(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		fd := fds.Closed(t)
		c := &channel{}
		c.Init(c, m)
		require.NoError(t, c.SetSocket(&numbered{fd: fd}))
		err := m.Loop(engine.WithTimeout(long))
		var errno unix.Errno
		require.True(t, errors.As(err, &errno), "%v", err)
		assert.Equal(t, unix.EBADF, errno)
		assert.Empty(t, c.seen)
		require.NoError(t, m.Loop(engine.WithPoll(), engine.WithTimeout(long)))
		assert.Equal(t, []string{"close"}, c.seen)
	})
}

func TestNumbersThatAreNone(t *testing.T) {
	m := newMap(t, "")
	for _, fd := range []int{-1, 1 << 30} {
		d := &engine.Dispatcher{}
		d.Init(nil, m)
		assert.ErrorIs(t, d.SetSocket(&numbered{fd: fd}), unix.EBADF)
		assert.Zero(t, m.Len())
	}
	d := &engine.Dispatcher{}
	assert.ErrorIs(t, d.AddChannel(), engine.ErrNoInit)
}
