//go:build linux

package selector

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/fdtest"
	"github.com/goasyncore/goasyncore/engine/poller"
)

func TestNoNewSetIsPollsTurn(t *testing.T) {
	p := newEpoll(t)
	s := New(p)
	a, b := fdtest.Pair(t)
	fdtest.Feed(t, b)
	orphan(t, p)
	func() {
		fdtest.WithLimit(t, 3)
		assert.Equal(t, []poller.Ready{{FD: int32(a), Events: poller.Read}}, told(t, s, Options{Timeout: -1}, Change{int32(a), poller.Read, 1}))
	}()
	assert.Equal(t, "poll", s.Poller().Name())
}

func TestALostSetIsOpenedAgain(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, p poller.InKernel){
		"closed": func(t *testing.T, p poller.InKernel) { require.NoError(t, unix.Close(p.Descriptor())) },
		"replaced": func(t *testing.T, p poller.InKernel) {
			require.NoError(t, unix.Dup3(fdtest.Regular(t), p.Descriptor(), 0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newEpoll(t)
			s := New(p)
			a, _ := fdtest.Pair(t)
			c, _ := fdtest.Pair(t)
			assert.Empty(t, told(t, s, Options{}, Change{int32(a), poller.Read, 1}))
			number := p.Descriptor()
			lose(t, p)
			if name == "replaced" {
				defer unix.Close(number)
			}
			// Noticed by the wait, or by a registration, whichever comes first.
			assert.Equal(t, []poller.Ready{{FD: int32(c), Events: poller.Write}}, told(t, s, Options{Timeout: -1}, Change{int32(c), poller.Write, 2}))
			assert.Equal(t, "epoll", s.Poller().Name())
			assert.Equal(t, 2, s.Poller().Len())
			if name == "replaced" {
				assert.True(t, poller.IsOpen(number))
				assert.NotContains(t, p.FDs(), number)
			}
		})
		t.Run(name+"_while_nothing_changes", func(t *testing.T) {
			p := newEpoll(t)
			s := New(p)
			a, b := fdtest.Pair(t)
			assert.Empty(t, told(t, s, Options{}, Change{int32(a), poller.Read, 1}))
			number := p.Descriptor()
			lose(t, p)
			if name == "replaced" {
				defer unix.Close(number)
			}
			fdtest.Feed(t, b)
			assert.Equal(t, []poller.Ready{{FD: int32(a), Events: poller.Read}}, told(t, s, Options{Timeout: -1}))
		})
	}
}
