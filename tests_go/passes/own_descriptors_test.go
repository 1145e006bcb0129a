package passes

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

// takers put something of the program's under a number, and check that it was left alone.
var takers = map[string]func(t *testing.T, fd int) (check func()){
	"nothing": func(t *testing.T, fd int) func() {
		require.NoError(t, unix.Close(fd))
		return func() {}
	},
	"a socket with data": func(t *testing.T, fd int) func() {
		a, b := fds.Pair(t)
		_, err := unix.Write(b, []byte("12345678"))
		require.NoError(t, err)
		require.NoError(t, fds.Dup2(a, fds.Closing(t, fd)))
		return func() {
			data := make([]byte, 16)
			n, err := unix.Read(fd, data)
			require.NoError(t, err)
			assert.Equal(t, "12345678", string(data[:n]))
			_, err = unix.Read(b, data)
			assert.ErrorIs(t, err, unix.EAGAIN, "and nothing was written")
		}
	},
	"a file": func(t *testing.T, fd int) func() {
		file, err := os.CreateTemp(t.TempDir(), "")
		require.NoError(t, err)
		defer file.Close()
		require.NoError(t, fds.Dup2(int(file.Fd()), fds.Closing(t, fd)))
		return func() {
			size, err := unix.Seek(fd, 0, io.SeekEnd)
			require.NoError(t, err, "it is open")
			assert.Zero(t, size)
		}
	},
	"the end of another pipe": func(t *testing.T, fd int) func() {
		var ends [2]int
		require.NoError(t, unix.Pipe(ends[:]))
		defer unix.Close(ends[1])
		defer unix.Close(ends[0])
		require.NoError(t, unix.SetNonblock(ends[0], true))
		near := fds.Closing(t, fds.High(t, ends[0], 2000))
		require.NoError(t, fds.Dup2(ends[1], fds.Closing(t, fd)))
		return func() {
			_, err := unix.Read(near, make([]byte, 16))
			assert.ErrorIs(t, err, unix.EAGAIN)
		}
	},
	"another poller's": func(t *testing.T, fd int) func() {
		other, err := poller.Open("")
		require.NoError(t, err)
		number := other.FDs()[0]
		require.NoError(t, fds.Dup2(number, fds.Closing(t, fd)))
		t.Cleanup(func() { require.NoError(t, other.Close()) })
		return func() {
			a, _ := fds.Pair(t)
			require.NoError(t, other.Add(a, write))
			assert.Equal(t, map[int]poller.Events{a: write}, waitFor(t, other, -1))
		}
	},
}

// Each of the poller's descriptors is taken by each of the takers, before and between passes.
func TestTakenDescriptorsAreLeftAloneAndOpenedAgain(t *testing.T) {
	for name, take := range takers {
		t.Run(name, func(t *testing.T) {
			onEachPoller(t, func(t *testing.T, p poller.Poller) {
				s := selector.New(p)
				for i := range p.FDs() {
					a, b := fds.Pair(t)
					run(t, s, once(want(a, read)), selector.Select, 1, 0)
					number := s.Poller().FDs()[i]
					check := take(t, number)
					time.Sleep(2 * time.Millisecond) // a loop that does not rest looks once a millisecond
					_ = s.Poller().Wake()            // says so or is left for the next wait, but writes to nobody
					fds.Send(t, b)
					assert.Equal(t, []poller.Ready{is(a, read)}, found(t, s, once(), selector.Select, long))
					assert.True(t, name == "nothing" || number != s.WakeFD())
					require.NoError(t, s.Poller().Wake())
					woken := once()
					woken.step = func(i int, _ []poller.Ready, _ bool) ([]selector.Change, bool) {
						return []selector.Change{want(a, 0)}, i == 0
					}
					run(t, s, woken, selector.Select, 1, -1)
					check()
				}
				require.NoError(t, s.Close())
			})
		})
	}
}

func TestTakenDescriptorsAreNotClosed(t *testing.T) {
	for name, take := range takers {
		if name == "nothing" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for _, name := range poller.Names() {
				p, err := poller.Open(name)
				require.NoError(t, err)
				var checks []func()
				for _, fd := range p.FDs() {
					checks = append(checks, take(t, fd))
				}
				require.NoError(t, p.Close())
				for _, check := range checks {
					check()
				}
			}
		})
	}
}
