package channels

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

// sender is a DispatcherWithSend that closes when its peer does.
type sender struct{ engine.DispatcherWithSend }

func (s *sender) HandleRead() error {
	_, err := s.Recv(s.Map().Buffer())
	return err
}

func newSender(t *testing.T, m *engine.Map) (*sender, *engine.Socket) {
	a, peer := ends(t)
	s := &sender{}
	s.Init(s, m)
	require.NoError(t, s.Attach(a))
	return s, peer
}

// drain receives from peer while the loop sends, until total bytes have come.
func drain(t *testing.T, m *engine.Map, peer *engine.Socket, total int, opts ...engine.Option) []byte {
	r := newChannel(t, m, peer)
	defer r.DelChannel()
	var got []byte
	r.read = func() error {
		n, err := r.Recv(m.Buffer())
		got = append(got, m.Buffer()[:n]...)
		return err
	}
	loopUntil(t, m, func() bool { return len(got) >= total }, opts...)
	return got
}

func TestSendSendsAtOnce(t *testing.T) {
	s, peer := newSender(t, newMap(t, ""))
	n, err := s.Send([]byte("at once"))
	require.NoError(t, err)
	assert.Equal(t, 7, n)
	assert.Equal(t, "at once", text(t, peer))
	assert.Zero(t, s.Buffered())
	_, err = fmt.Fprintf(s, "%d", 42)
	require.NoError(t, err)
	assert.Equal(t, "42", text(t, peer))
}

func TestSendBuffersWhatTheSocketDoesNotTake(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		s, peer := newSender(t, m)
		data := fds.Pattern(5 << 20)
		own := bytes.Clone(data)
		_, err := s.Send(own)
		require.NoError(t, err)
		clear(own) // it is the caller's again
		assert.Positive(t, s.Buffered())
		_, err = s.Send([]byte("the end"))
		require.NoError(t, err)
		got := drain(t, m, peer, len(data)+7, meaning)
		assert.True(t, bytes.Equal(append(data, "the end"...), got))
		assert.Zero(t, s.Buffered())

		// Nothing is left to wait for.
		require.NoError(t, peer.Close())
		require.NoError(t, m.Loop(meaning, engine.WithTimeout(long)))
	})
}

func TestSendWhileConnecting(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		at, got := receiving(t, m)
		s := &sender{}
		s.Init(s, m)
		require.NoError(t, s.CreateSocket("tcp"))
		require.NoError(t, s.Connect(at))
		_, err := s.Send([]byte("early"))
		require.NoError(t, err)
		loopUntil(t, m, func() bool { return len(*got) == 5 }, meaning)
		assert.Equal(t, "early", string(*got))
	})
}

func TestSendOnALostConnectionCloses(t *testing.T) {
	m := newMap(t, "")
	s, peer := newSender(t, m)
	require.NoError(t, peer.Close())
	_, err := s.Send([]byte("x"))
	assert.ErrorIs(t, err, unix.EPIPE)
	assert.Zero(t, m.Len())
	assert.False(t, s.Connected())
}

func TestManySmallSendsAreSentInOrder(t *testing.T) {
	onEachMap(t, func(t *testing.T, m *engine.Map) {
		s, peer := newSender(t, m)
		var all []byte
		for i := range 100_000 {
			line := fmt.Appendf(nil, "%d\n", i)
			all = append(all, line...)
			_, err := s.Send(line)
			require.NoError(t, err)
		}
		assert.Positive(t, s.Buffered())
		assert.True(t, bytes.Equal(all, drain(t, m, peer, len(all))))
	})
}
