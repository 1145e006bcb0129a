package channels

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"

	"github.com/goasyncore/goasyncore/engine/socket"
)

func TestAdoptedConnectionGoesOn(t *testing.T) {
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": "socket"} {
		t.Run(network, func(t *testing.T) {
			onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "socket")
				}
				server, err := net.Listen(network, address)
				require.NoError(t, err)
				defer server.Close()
				client, err := net.Dial(network, server.Addr().String())
				require.NoError(t, err)
				defer client.Close()
				conn, err := server.Accept()
				require.NoError(t, err)
				sock, err := socket.Adopt(conn)
				require.NoError(t, err)
				assert.Equal(t, network, sock.Network())
				_, err = conn.Write([]byte("x"))
				assert.ErrorIs(t, err, net.ErrClosed)

				c := newChannel(t, m, sock)
				assert.True(t, c.Connected())
				c.read = func() error {
					n, err := c.Recv(m.Buffer())
					if n > 0 {
						_, err = c.Send(m.Buffer()[:n])
					}
					return err
				}
				_, err = client.Write([]byte("echo"))
				require.NoError(t, err)
				loopUntil(t, m, func() bool { return len(c.seen) > 0 }, meaning)
				back := make([]byte, 4)
				_, err = io.ReadFull(client, back)
				require.NoError(t, err)
				assert.Equal(t, "echo", string(back))
				require.NoError(t, client.Close())
				require.NoError(t, m.Loop(meaning, engine.WithTimeout(long)))
			})
		})
	}
}

func TestAdoptedListenerAccepts(t *testing.T) {
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": "socket"} {
		t.Run(network, func(t *testing.T) {
			onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "socket")
				}
				listener, err := net.Listen(network, address)
				require.NoError(t, err)
				at := listener.Addr().String()
				sock, err := socket.Adopt(listener)
				require.NoError(t, err)
				server := newChannel(t, m, nil)
				require.NoError(t, server.SetSocket(sock))
				assert.True(t, server.Accepting())
				client, err := net.Dial(network, at)
				require.NoError(t, err)
				defer client.Close()
				loopUntil(t, m, func() bool { return len(server.seen) > 0 }, meaning)
				assert.Equal(t, []string{"accepted"}, server.seen)
				if network == "unix" {
					assert.FileExists(t, at)
				}
			})
		})
	}
}

func TestAdoptDatagrams(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	sock, err := socket.Adopt(conn)
	require.NoError(t, err)
	defer sock.Close()
	assert.Equal(t, "udp", sock.Network())
	at, err := sock.LocalAddr()
	require.NoError(t, err)
	assert.Equal(t, conn.LocalAddr().String(), at.String())
	require.NoError(t, sock.SendTo([]byte("to myself"), at))
	m := newMap(t, "")
	c := newChannel(t, m, nil)
	require.NoError(t, c.SetSocket(sock))
	loopUntil(t, m, func() bool { return len(c.seen) > 0 })
}

func TestAdoptWhatIsNoSocket(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	_, err := socket.Adopt(a)
	assert.ErrorIs(t, err, unix.ENOTSOCK)
	require.NoError(t, a.Close())

	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	_, err = socket.Adopt(f)
	assert.ErrorIs(t, err, unix.ENOTSOCK)
	_, err = f.WriteString("still open")
	assert.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = socket.Adopt(f)
	assert.ErrorContains(t, err, "adopt *os.File: ")
}
