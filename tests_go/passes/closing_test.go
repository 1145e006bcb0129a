package passes

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

func TestOwnDescriptorsAreNotInherited(t *testing.T) {
	onEachPoller(t, func(t *testing.T, p poller.Poller) {
		require.Contains(t, p.FDs(), p.WakeFD())
		for _, fd := range p.FDs() {
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			require.NoError(t, err)
			assert.NotZero(t, flags&unix.FD_CLOEXEC)
		}
		flags, err := unix.FcntlInt(uintptr(p.WakeFD()), unix.F_GETFL, 0)
		require.NoError(t, err)
		assert.NotZero(t, flags&unix.O_NONBLOCK)
	})
}

func TestClosedPollerSaysSo(t *testing.T) {
	for _, name := range poller.Names() {
		p, err := poller.Open(name)
		require.NoError(t, err)
		fds := p.FDs()
		require.NoError(t, p.Close())
		for _, fd := range fds {
			_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			assert.ErrorIs(t, err, unix.EBADF)
		}
		assertClosed(t, p)
	}
}

func TestAbandonedPollerClosesNothing(t *testing.T) {
	for _, name := range poller.Names() {
		p, err := poller.Open(name)
		require.NoError(t, err)
		fds := p.FDs()
		p.Abandon()
		assertClosed(t, p)
		for _, fd := range fds {
			assert.NoError(t, unix.Close(fd))
		}
	}
}

// assertClosed checks what a poller does that has no descriptors any more.
func assertClosed(t *testing.T, p poller.Poller) {
	a, _ := fds.Pair(t)
	assert.ErrorIs(t, p.Add(a, read), os.ErrClosed)
	assert.ErrorIs(t, p.Set(a, read), os.ErrClosed)
	assert.ErrorIs(t, p.Wake(), os.ErrClosed)
	_, err := wait(p, make([]poller.Ready, 1), 0)
	assert.ErrorIs(t, err, os.ErrClosed)
	assert.Empty(t, p.FDs())
	assert.NoError(t, p.Del(a))
	assert.NoError(t, p.Close())
	p.Abandon()
}
