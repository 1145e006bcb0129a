package channels

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/engine/chat"

	"github.com/goasyncore/goasyncore/engine/poller"
	"github.com/goasyncore/goasyncore/engine/selector"
)

// FuzzLoop makes a random map with random readiness and random handlers, and holds each pass
// against a model of it.
func FuzzLoop(f *testing.F) {
	f.Add([]byte("aaaa rrrr wwww pass pass"))
	f.Add([]byte{0, 0, 0, 1, 17, 33, 7, 4, 20, 36, 7, 2, 18, 6, 22, 7, 3, 7, 0, 7, 5, 21, 7, 39, 7})
	f.Add([]byte{0, 0, 0, 0, 2, 18, 34, 50, 6, 38, 7, 8, 24, 9, 7, 7, 0, 2, 66, 7, 5, 5, 21, 7, 23, 7})
	f.Add([]byte("The quick brown fox jumps over the lazy dog; the lazy dog is not amused at all."))
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 200 {
			return
		}
		for _, poller := range poller.Names() {
			for _, meaning := range []selector.Meaning{selector.Select, selector.Poll} {
				play(t, script, poller, meaning)
			}
		}
	})
}

// play carries out a script: the low bits of a byte say what to do, the others to whom.
func play(t *testing.T, script []byte, poller string, meaning selector.Meaning) {
	m := engine.NewMapOn(poller)
	var actors []*actor // in map order
	var log []string
	defer func() {
		for _, a := range actors {
			a.peer.Close()
		}
		require.NoError(t, m.CloseAll())
		require.NoError(t, m.Close())
	}()
	options := []engine.Option{engine.WithTimeout(0), engine.WithCount(1)}
	if meaning == selector.Poll {
		options = append(options, engine.WithPoll())
	}
	for i, b := range script {
		if b%10 == 0 || len(actors) == 0 {
			if len(actors) < 16 {
				actors = append(actors, newActor(t, m, fmt.Sprint("actor ", i), &log))
			}
			continue
		}
		a := actors[int(b>>4)%len(actors)]
		switch b % 10 {
		case 1:
			a.data = a.data || a.peer.FD() >= 0
			_, _ = a.peer.Send([]byte("x"))
		case 2:
			a.write = !a.write
			a.SetWritable(a.write)
		case 3:
			a.read = !a.read
			a.SetReadable(a.read)
		case 4:
			a.data, a.hung = true, true
			require.NoError(t, a.peer.Close())
		case 5:
			require.NoError(t, a.Close())
			actors = present(actors)
		case 6:
			a.kills = actors[(int(b>>4)+1)%len(actors)]
		case 7:
			a.DelChannel()
			require.NoError(t, a.AddChannel())
			actors = append(slices.DeleteFunc(actors, func(other *actor) bool { return other == a }), a)
		default:
			should := pass(actors, meaning, poller != "select")
			log = nil
			require.NoError(t, m.Loop(options...))
			require.Equal(t, should, log, "%s, %v, step %d", poller, meaning, i)
			actors = present(actors)
			require.Len(t, actors, m.Len())
		}
	}
}

// actor is a channel of the fuzz test, with what its model knows.
type actor struct {
	engine.Dispatcher
	name  string
	log   *[]string
	peer  *engine.Socket
	read  bool   // it waits to read
	write bool   // it waits to write
	data  bool   // there is something to read, or the end
	hung  bool   // the other end is closed
	kills *actor // whom its next handler closes
}

func newActor(t *testing.T, m *engine.Map, name string, log *[]string) *actor {
	both := stream(t)
	a := &actor{name: name, log: log, peer: both[1], read: true}
	a.Init(a, m)
	a.SetWritable(false)
	require.NoError(t, a.Attach(both[0]))
	return a
}

func (a *actor) HandleRead() error  { return a.act("read") }
func (a *actor) HandleWrite() error { return a.act("write") }
func (a *actor) HandleClose() error { return a.act("close") }

func (a *actor) act(event string) error {
	*a.log = append(*a.log, a.name+" "+event)
	victim := a.kills
	a.kills = nil
	if victim == nil {
		return nil
	}
	return victim.Close()
}

// present are the actors that are not closed.
func present(actors []*actor) []*actor {
	return slices.DeleteFunc(actors, func(a *actor) bool {
		gone := a.Endpoint().FD() < 0
		if gone {
			a.peer.Close()
		}
		return gone
	})
}

// pass is what a pass has to tell, worked out without a poller. A handler kills once, and the
// killed are told nothing, or nothing but the rest of what one poll(2) event says.
func pass(actors []*actor, meaning selector.Meaning, tellsHangups bool) (log []string) {
	dead, killed := map[*actor]bool{}, map[*actor]bool{}
	tell := func(a *actor, event string) {
		log = append(log, a.name+" "+event)
		if a.kills != nil && !killed[a] {
			killed[a] = true
			dead[a.kills] = true
		}
	}
	if meaning == selector.Poll {
		for _, a := range actors {
			if dead[a] || !a.read && !a.write {
				continue
			}
			if a.read && a.data {
				tell(a, "read")
			}
			if a.write {
				tell(a, "write")
			}
			if a.hung && tellsHangups {
				tell(a, "close")
			}
		}
		return log
	}
	for _, a := range actors {
		if !dead[a] && a.read && a.data {
			tell(a, "read")
		}
	}
	for _, a := range actors {
		if !dead[a] && a.write {
			tell(a, "write")
		}
	}
	return log
}

// FuzzTerminator cuts random input at random places, and looks for a random terminator.
func FuzzTerminator(f *testing.F) {
	f.Add("one\r\ntwo\r\nrest", "\r\n", []byte{3, 1, 1, 5})
	f.Add("aaaaaaabaaab", "aaab", []byte{1, 2, 3})
	f.Add("abababac", "abac", []byte{6})
	f.Add("xyxyxyz", "z", []byte{})
	f.Fuzz(func(t *testing.T, input, text string, cuts []byte) {
		if text == "" || len(input) > 5000 {
			return
		}
		terminator := chat.Until(text)
		var found []string
		rest, begun := "", 0
		take := func(piece string) {
			rest += piece
			for {
				at, now := terminator.Search([]byte(rest), begun)
				if at < 0 {
					require.Equal(t, text[:now], rest[len(rest)-now:])
					found, rest, begun = append(found, rest[:len(rest)-now]), rest[len(rest)-now:], now
					return
				}
				found = append(found, rest[:at]+"|")
				rest, begun = rest[at+len(text):], 0
			}
		}
		left := input
		for _, cut := range cuts {
			n := min(int(cut), len(left))
			take(left[:n])
			left = left[n:]
		}
		take(left)
		assert.Equal(t, strings.ReplaceAll(input, text, "|"), strings.Join(found, "")+rest)
		longest := 0
		for n := 1; n < len(text) && n <= len(rest); n++ {
			if strings.HasSuffix(rest, text[:n]) {
				longest = n
			}
		}
		assert.Equal(t, longest, begun)
	})
}
