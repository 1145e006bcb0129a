package channels

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"

	"github.com/goasyncore/goasyncore/engine/socket"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

// networks are the stream networks, each with an address to listen on.
func networks(t *testing.T) map[string]string {
	all := map[string]string{
		"tcp":  "127.0.0.1:0",
		"tcp4": "localhost:0",
		"unix": filepath.Join(t.TempDir(), "socket"),
	}
	if s, err := socket.New("tcp6"); err == nil {
		if a, err := socket.ParseAddr("tcp6", "[::1]:0"); err == nil && s.Bind(a) == nil {
			all["tcp6"] = "[::1]:0"
		}
		require.NoError(t, s.Close())
	}
	return all
}

func TestConversationOnEachNetwork(t *testing.T) {
	for network, address := range networks(t) {
		t.Run(network, func(t *testing.T) {
			onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "socket")
				}
				server, at := listening(t, m, network, address)
				assert.True(t, server.Accepting())
				assert.Equal(t, network, server.Socket().Network())
				var heard string
				var from engine.Addr
				server.accepted = func(sock *engine.Socket, peer engine.Addr) error {
					from = peer
					c := newChannel(t, m, sock)
					assert.True(t, c.Connected())
					assert.Equal(t, peer, c.Addr())
					c.read = func() error {
						n, err := c.Recv(m.Buffer())
						heard += string(m.Buffer()[:n])
						return errors.Join(err, c.Close())
					}
					return nil
				}
				client := newChannel(t, m, nil)
				require.NoError(t, client.CreateSocket(network))
				require.NoError(t, client.Connect(at))
				client.write = func() error {
					client.SetWritable(false)
					n, err := client.Send([]byte("hello"))
					assert.Equal(t, 5, n)
					return err
				}
				client.SetWritable(true)
				client.read = func() error {
					_, err := client.Recv(m.Buffer())
					return err
				}
				loopUntil(t, m, func() bool { return client.Socket().FD() < 0 }, meaning)
				assert.Equal(t, "hello", heard)
				assert.Equal(t, []string{"connect", "write"}, client.seen[:2])
				assert.Equal(t, "close", client.seen[len(client.seen)-1])
				assert.Equal(t, []string{"accepted"}, server.seen)
				if network != "unix" {
					assert.True(t, from.AddrPort().Addr().IsLoopback(), from)
					assert.Equal(t, at, client.Addr().String())
				}
			})
		})
	}
}

func TestDatagrams(t *testing.T) {
	addresses := map[string]string{"udp": "127.0.0.1:0", "unixgram": "datagrams"}
	for network, address := range addresses {
		onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
			if network == "unixgram" {
				address = filepath.Join(t.TempDir(), "datagrams")
			}
			server := newChannel(t, m, nil)
			require.NoError(t, errors.Join(server.CreateSocket(network), server.Bind(address)))
			at, err := server.Socket().LocalAddr()
			require.NoError(t, err)
			server.SetWritable(false)
			var heard []string
			server.write = func() error { return nil } // an unconnected channel may always write
			server.read = func() error {
				n, from, err := server.Socket().RecvFrom(m.Buffer())
				heard = append(heard, string(m.Buffer()[:n]))
				if network == "udp" {
					return errors.Join(err, server.Socket().SendTo([]byte("back"), from))
				}
				return err
			}
			client := newChannel(t, m, nil)
			require.NoError(t, client.Dial(network, at.String()))
			assert.True(t, client.Connected())
			_, err = client.Send([]byte("there"))
			require.NoError(t, err)
			_, err = client.Send([]byte("again"))
			require.NoError(t, err)
			loopUntil(t, m, func() bool { return len(heard) == 2 }, meaning)
			assert.Equal(t, []string{"there", "again"}, heard)
			if network == "udp" {
				client.read = func() error {
					n, err := client.Recv(m.Buffer())
					heard = append(heard, string(m.Buffer()[:n]))
					return err
				}
				loopUntil(t, m, func() bool { return len(heard) == 4 }, meaning)
				assert.Equal(t, "back", heard[3])
			}
		})
	}
}

func TestConnectRefused(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		s, err := socket.New("tcp")
		require.NoError(t, err)
		nowhere, err := socket.ParseAddr("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, s.Bind(nowhere))
		at, err := s.LocalAddr()
		require.NoError(t, err)
		defer s.Close() // bound, but not listening: refused for sure

		c := newChannel(t, m, nil)
		var failure error
		c.failed = func(err error) error {
			failure = err
			return c.Close()
		}
		require.NoError(t, c.Dial("tcp", at.String()))
		loopUntil(t, m, func() bool { return c.Socket().FD() < 0 }, meaning)
		assert.ErrorIs(t, failure, unix.ECONNREFUSED)
		assert.ErrorContains(t, failure, "connect: ")
		assert.NotContains(t, c.seen, "connect")
		assert.False(t, c.Connected())
	})
}

func TestDefaults(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		a, peer := ends(t)
		say(t, peer, "unread")
		d := &engine.Dispatcher{}
		d.Init(nil, m)
		require.NoError(t, d.Attach(a))
		onePass(t, m, meaning)
		assert.True(t, d.Connected())
		assert.Equal(t, 1, m.Len())

		// A connection that nobody handles is closed.
		server := &engine.Dispatcher{}
		server.Init(nil, m)
		require.NoError(t, server.Listen("tcp", "127.0.0.1:0"))
		at, err := server.Socket().LocalAddr()
		require.NoError(t, err)
		d.DelChannel()
		client := newChannel(t, m, nil)
		require.NoError(t, client.Dial("tcp", at.String()))
		client.read = func() error {
			_, err := client.Recv(m.Buffer())
			return err
		}
		loopUntil(t, m, func() bool { return client.Socket().FD() < 0 }, meaning)
	})
}

func TestChannelWithNothingToWriteDoesNotWaitForIt(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		a, peer := ends(t)
		r := &reader{}
		r.Init(r, m)
		require.NoError(t, r.Attach(a))
		say(t, peer, "x")
		// It would be writable in the first pass, and the loop over before the reading.
		require.NoError(t, m.Loop(meaning, engine.WithTimeout(long), engine.WithCount(1)))
		assert.Equal(t, 1, r.reads)
	})
}

type reader struct {
	engine.Dispatcher
	reads int
}

func (r *reader) HandleRead() error {
	r.reads++
	_, err := r.Recv(r.Map().Buffer())
	return err
}

func TestPredicatesAreAskedOnceAPass(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		var order []string
		for _, name := range []string{"first", "second", "third"} {
			a, peer := ends(t)
			say(t, peer, "x")
			c := &choosy{name: name, asked: &order, readable: name != "second"}
			c.Init(c, m)
			require.NoError(t, c.Attach(a))
		}
		onePass(t, m, meaning)
		assert.Equal(t, []string{"first?", "second?", "third?", "first", "third"}, order)
		m.Channels()[1].Handler().(*choosy).readable = true
		m.Channels()[0].DelChannel()
		order = nil
		onePass(t, m, meaning)
		assert.Equal(t, []string{"second?", "third?", "second", "third"}, order)
		order = nil
		require.NoError(t, m.Loop(meaning, engine.WithCount(5)))
		assert.Len(t, order, 20)
	})
}

type choosy struct {
	engine.Dispatcher
	name     string
	asked    *[]string
	readable bool
}

func (c *choosy) Readable() bool {
	*c.asked = append(*c.asked, c.name+"?")
	return c.readable
}

func (c *choosy) Writable() bool { return false }

func (c *choosy) HandleRead() error {
	*c.asked = append(*c.asked, c.name)
	return nil
}

func TestPriorityDataIsToldToHandleExpt(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		a, b := fds.TCP(t)
		duplicate, err := unix.Dup(a)
		require.NoError(t, err)
		sock, err := socket.Adopt(&raw{fd: duplicate})
		require.NoError(t, err)
		c := newChannel(t, m, sock)
		require.NoError(t, unix.Sendto(b, []byte("!"), unix.MSG_OOB, nil))
		loopUntil(t, m, func() bool { return len(c.seen) > 0 }, meaning)
		assert.Equal(t, "expt", c.seen[0])
	})
}

func TestHangUp(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		c, peer := connection(t, m)
		c.closed = func() error { return nil }
		require.NoError(t, peer.Close())
		require.NoError(t, m.Loop(engine.WithTimeout(long), engine.WithCount(1)))
		assert.Equal(t, []string{"read"}, c.seen)
		if t.Name() == "TestHangUp/select" {
			return // that poller cannot tell a hang-up from readiness
		}
		require.NoError(t, m.Loop(engine.WithPoll(), engine.WithTimeout(long), engine.WithCount(1)))
		assert.Equal(t, []string{"read", "read", "close"}, c.seen)
	})
}
