//go:build engine_calls && linux

package selector

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/poller"
)

// crowd is what a wait has to do with: descriptors, their peers, and how much of it there is.
type crowd struct {
	t     testing.TB
	fds   []int // to be registered
	peers map[int]int
	all   []int // every number that was opened, to be closed in the end
}

func newCrowd(t testing.TB) *crowd { return &crowd{t: t, peers: map[int]int{}} }

// open opens a pair of sockets; the cleanups of thousands would be slow, so the crowd has one.
func (c *crowd) open() int {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	require.NoError(c.t, err)
	c.fds, c.peers[ends[0]] = append(c.fds, ends[0]), ends[1]
	c.all = append(c.all, ends[:]...)
	return ends[0]
}

func (c *crowd) close() {
	slices.Sort(c.all)
	for _, fd := range slices.Compact(c.all) {
		unix.Close(fd)
	}
}

// keep has a number closed in the end that has no peer.
func (c *crowd) keep(fd int) {
	c.peers[fd] = -1
	c.all = append(c.all, fd)
}

// crowds make n channels each that have nothing to tell, or are always told, and may keep a wait busy.
var crowds = map[string]func(c *crowd, n int) (changes []Change){
	"muted": func(c *crowd, n int) (changes []Change) { // a hang-up for one that waits for room
		for range n {
			var ends [2]int
			require.NoError(c.t, unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK))
			unix.Close(ends[1])
			c.keep(ends[0])
			changes = append(changes, Change{int32(ends[0]), poller.Write, uint64(ends[0])})
		}
		return changes
	},
	"unknown": func(c *crowd, n int) (changes []Change) { // registered, closed, and open under another number
		for range n {
			fd := c.open()
			keeper, err := unix.Dup(fd)
			require.NoError(c.t, err)
			c.keep(keeper)
			changes = append(changes, Change{int32(fd), poller.Read, uint64(fd)})
		}
		return changes
	},
	"replaced": func(c *crowd, n int) (changes []Change) {
		for range n {
			fd := c.open()
			keeper, err := unix.Dup(fd)
			require.NoError(c.t, err)
			c.keep(keeper)
			changes = append(changes, Change{int32(fd), poller.Read, uint64(fd)})
		}
		return changes
	},
	"forgotten": func(c *crowd, n int) (changes []Change) {
		for range n {
			fd := c.open()
			changes = append(changes, Change{int32(fd), poller.Read, uint64(fd)})
		}
		return changes
	},
	"file": func(c *crowd, n int) (changes []Change) {
		for range n {
			fd, err := unix.MemfdCreate("", unix.MFD_CLOEXEC)
			require.NoError(c.t, err)
			c.keep(fd)
			changes = append(changes, Change{int32(fd), poller.Read | poller.Write, uint64(fd)})
		}
		return changes
	},
}

// trouble has the channels of a kind, which are registered, get ready as its name says.
func trouble(c *crowd, kind string, changes []Change) (then []Change) {
	for _, change := range changes {
		fd := int(change.FD)
		peer := c.peers[fd]
		if peer >= 0 {
			_, err := unix.Write(peer, make([]byte, 100))
			require.NoError(c.t, err)
		}
		switch kind {
		case "unknown":
			unix.Close(fd)
			then = append(then, Change{change.FD, 0, change.Order})
		case "replaced":
			idle, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
			require.NoError(c.t, err)
			require.NoError(c.t, unix.Dup3(idle[0], fd, unix.O_CLOEXEC))
			unix.Close(idle[0])
			c.keep(idle[1])
			then = append(then, Change{change.FD, poller.Read, change.Order + 1<<32})
		case "forgotten":
			then = append(then, Change{change.FD, 0, change.Order})
		}
	}
	return then
}

// TestNoEventMakesARunSpin has many of each kind at once beside registered channels, idle ones, and bounds
// the calls by what is there, whatever the time that goes by.
func TestNoEventMakesARunSpin(t *testing.T) {
	for _, name := range poller.Names() {
		for kind := range crowds {
			for _, n := range []int{0, 1, 63, 64, 65, 200} {
				for _, registered := range []int{0, 1, 63, 64, 65, 200} {
					for _, m := range []Meaning{Select, Poll} {
						t.Run(fmt.Sprintf("%s/%s/%d_beside_%d/%d", name, kind, n, registered, m), func(t *testing.T) {
							bounded(t, name, kind, n, registered, m)
						})
					}
				}
			}
		}
	}
}

func bounded(t *testing.T, name, kind string, n, registered int, m Meaning) {
	p, err := poller.Open(name)
	require.NoError(t, err)
	defer p.Close()
	c := newCrowd(t)
	defer c.close()
	s := New(p)
	changes := crowds[kind](c, n)
	for range registered {
		fd := c.open()
		changes = append(changes, Change{int32(fd), poller.Read, uint64(fd)})
	}
	script := &script{changes: [][]Change{changes}}
	require.NoError(t, s.Run(script, Options{Meaning: m, Count: 1}))
	then := trouble(c, kind, changes[:n])
	before := poller.Calls()
	script.changes, script.steps = [][]Change{then}, 0
	const wait = 5 * time.Millisecond // room for thousands of calls
	require.NoError(t, s.Run(script, Options{Timeout: wait, Meaning: m, Count: 1}))
	made := poller.Calls() - before
	// Each may be looked at, registered again, and found closed; all by an audit and by a new set.
	require.LessOrEqual(t, made, int64(30+8*(n+registered)), "calls")
	require.LessOrEqual(t, script.steps, 2)
	if kind != "file" && kind != "muted" {
		require.Empty(t, script.last)
	}

	// Once all that is dealt with, a wait that nothing ends is a few calls.
	if kind != "file" {
		before = poller.Calls()
		require.NoError(t, s.Run(script, Options{Timeout: wait, Meaning: m, Count: 1}))
		if kind != "muted" || m == Select {
			require.LessOrEqual(t, poller.Calls()-before, int64(20+2*(n+registered)/lookAtOnce+n), "calls of an idle wait")
		}
	}
}

// FuzzNoWaitSpins makes a poller's life hard, and bounds the calls of each Wait by what is registered. Run it with
// -fuzzminimizetime 20x: to make an input smaller, Go runs it for a minute, and says 0 execs/sec.
func FuzzNoWaitSpins(f *testing.F) {
	for _, seed := range []string{"", "aAbBcC", "oooooooooaaaaaaaa", "ardxrdxrdxw", "adcxadcxadcxw", "awwwfffww", "aksw", "acbdcefghw"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		for _, name := range poller.Names() {
			hardLife(t, name, program[:min(len(program), 300)])
		}
	})
}

func hardLife(t *testing.T, name string, program []byte) {
	p, err := poller.Open(name)
	require.NoError(t, err)
	defer p.Close()
	c := newCrowd(t)
	defer c.close()
	ready := make([]poller.Ready, 70)
	pick := func(b byte) (fd int) {
		if len(c.fds) == 0 {
			return c.open()
		}
		return c.fds[int(b)%len(c.fds)]
	}
	for i, b := range program {
		arg := byte(i)
		if i+1 < len(program) {
			arg = program[i+1]
		}
		fd := pick(arg)
		switch b % 16 {
		case 0: // more than ready has room for, but not thousands: each step would take a millisecond then
			for n := 0; n < 70 && len(c.fds) < 400; n++ {
				_ = p.Add(c.open(), poller.Read)
			}
		case 1:
			_ = p.Add(fd, poller.Read)
		case 2:
			_ = p.Set(fd, poller.Read|poller.Write)
		case 3:
			_ = p.Set(fd, poller.Write)
		case 4:
			_ = p.Del(fd)
		case 5:
			unix.Close(fd)
		case 6: // its open file lives on
			if keeper, err := unix.Dup(fd); err == nil {
				c.keep(keeper)
			}
		case 7: // replaced
			if near, _ := unix.Dup(pick(arg + 1)); near >= 0 {
				_ = unix.Dup3(near, fd, unix.O_CLOEXEC)
				unix.Close(near)
			}
		case 8:
			_, _ = unix.Write(c.peers[fd], []byte("x"))
		case 9:
			for _, peer := range c.peers {
				if peer >= 0 {
					_ = unix.Sendto(peer, []byte("x"), unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, nil)
				}
			}
		case 10:
			_ = unix.Shutdown(c.peers[fd], unix.SHUT_RDWR)
		case 11:
			if file, err := unix.MemfdCreate("", unix.MFD_CLOEXEC); err == nil {
				_ = unix.Dup3(file, fd, unix.O_CLOEXEC)
				unix.Close(file)
			}
		case 12:
			_ = p.Wake()
		case 13:
			_ = unix.Close(p.FDs()[int(arg)%len(p.FDs())])
			require.NoError(t, p.Verify())
		case 14:
			for _, each := range c.fds {
				_ = p.Del(each)
			}
		case 15:
			_, _ = unix.Write(p.WakeFD(), []byte{15})
		}
		before := poller.Calls()
		_, err := p.Wait(ready[:1+int(arg)%len(ready)], 0)
		if !errors.Is(err, unix.EINTR) {
			require.NoError(t, err)
		}
		require.LessOrEqual(t, poller.Calls()-before, int64(20+4*(p.Len()+len(c.fds))), "%s, step %d", name, i)
	}
}
