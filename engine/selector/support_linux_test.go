package selector

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/fdtest"
	"github.com/goasyncore/goasyncore/engine/poller"
)

func newEpoll(t testing.TB) poller.InKernel {
	p, err := poller.Open("epoll")
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p.(poller.InKernel)
}

// orphan leaves an entry in p's set that no number reaches, and that is ready for ever.
func orphan(t testing.TB, p poller.Poller) {
	a, b := fdtest.Pair(t)
	number := fdtest.CopyOf(t, a, 900)
	require.NoError(t, p.Add(number, poller.Read))
	require.NoError(t, unix.Close(number))
	require.NoError(t, p.Del(number))
	fdtest.Feed(t, b)
}
