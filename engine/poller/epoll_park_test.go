//go:build linux

package poller

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/internal/fdtest"
)

func parking(t *testing.T) (p *epollPoller, a, b int) {
	opened, err := openEpoll()
	require.NoError(t, err)
	p = opened.(*epollPoller)
	p.park()
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	a, b = fdtest.Pair(t)
	require.NoError(t, p.Add(a, Read))
	return p, a, b
}

// later sends something.
func later(fd int) func() {
	return func() { _, _ = unix.Write(fd, []byte("x")) }
}

// waitLong is a wait that must not end before its time without something ready.
func waitLong(t *testing.T, p *epollPoller, timeout time.Duration) []Ready {
	ready := make([]Ready, 4)
	end := time.Now().Add(timeout)
	for {
		n, err := p.Wait(ready, time.Until(end))
		require.NoError(t, err)
		if n > 0 || !time.Now().Before(end) {
			return ready[:n]
		}
	}
}

func TestALongWaitIsParkedAndStillHearsOfEverything(t *testing.T) {
	p, a, b := parking(t)
	buffer := make([]byte, 10)
	for range 3 {
		// A wait in which nothing comes is long on every machine; one that something ends may have begun late.
		assert.Empty(t, waitLong(t, p, 5*time.Millisecond))
		assert.True(t, p.parker.long)
		assert.NotNil(t, p.parker.file)
		timer := time.AfterFunc(10*time.Millisecond, later(b))
		assert.Equal(t, []Ready{{int32(a), Read}}, waitLong(t, p, time.Minute))
		for range 1000 { // a wait that another process interrupts may be a long one as well
			assert.Equal(t, []Ready{{int32(a), Read}}, waitLong(t, p, time.Minute), "it is ready until it is read")
			if !p.parker.long {
				break
			}
		}
		assert.False(t, p.parker.long, "a busy loop blocks in the kernel again")
		_, err := unix.Read(a, buffer)
		require.NoError(t, err)
		timer.Stop()
	}
	time.AfterFunc(10*time.Millisecond, func() { assert.NoError(t, p.Wake()) })
	n, err := p.Wait(make([]Ready, 1), -1)
	assert.NoError(t, err)
	assert.Zero(t, n)
	assert.True(t, p.Woken())
}

func TestAParkedWaitEndsInTime(t *testing.T) {
	p, _, _ := parking(t)
	for _, timeout := range []time.Duration{20 * time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond} {
		began := time.Now()
		assert.Empty(t, waitLong(t, p, timeout))
		assert.GreaterOrEqual(t, time.Since(began), timeout)
		assert.Less(t, time.Since(began), 10*time.Second)
	}
}

func TestANewSetIsParkedForAsWell(t *testing.T) {
	p, a, b := parking(t)
	assert.Empty(t, waitLong(t, p, 5*time.Millisecond))
	old := p.parker.file
	require.NotNil(t, old)
	require.NoError(t, p.rebuild())
	assert.Nil(t, p.parker.file)
	assert.ErrorIs(t, old.Close(), os.ErrClosed, "its descriptor is given back")
	assert.Empty(t, waitLong(t, p, 5*time.Millisecond))
	assert.NotNil(t, p.parker.file)
	time.AfterFunc(10*time.Millisecond, later(b))
	assert.Equal(t, []Ready{{int32(a), Read}}, waitLong(t, p, time.Minute))
}

func TestWithoutADescriptorForItALongWaitBlocksInTheKernel(t *testing.T) {
	p, a, b := parking(t)
	p.parker.close() // as when a new set has taken the old one's place
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	low := limit
	low.Cur = 0
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	none := waitLong(t, p, 5*time.Millisecond)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	assert.Empty(t, none)
	assert.True(t, p.parker.refuse)
	time.AfterFunc(10*time.Millisecond, later(b))
	assert.Equal(t, []Ready{{int32(a), Read}}, waitLong(t, p, time.Minute))
}
