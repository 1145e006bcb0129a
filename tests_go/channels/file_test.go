package channels

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine"

	"github.com/goasyncore/goasyncore/engine/socket"
	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

type fileChannel struct {
	engine.FileDispatcher
	got []byte
}

func (f *fileChannel) HandleRead() error {
	n, err := f.Recv(f.Map().Buffer())
	f.got = append(f.got, f.Map().Buffer()[:n]...)
	return err
}

func newFile(t *testing.T, m *engine.Map, fd int) *fileChannel {
	f := &fileChannel{}
	f.Init(f, m)
	require.NoError(t, f.SetFile(fd))
	return f
}

func TestPipe(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		defer r.Close()
		f := newFile(t, m, int(r.Fd()))
		assert.True(t, f.Connected())
		_, err = w.WriteString("through a pipe")
		require.NoError(t, err)
		loopUntil(t, m, func() bool { return len(f.got) > 0 }, meaning)
		require.NoError(t, w.Close())
		require.NoError(t, m.Loop(meaning, engine.WithTimeout(long)))
		assert.Equal(t, "through a pipe", string(f.got))
		assert.Equal(t, -1, f.Endpoint().FD())
	})
}

func TestRegularFileIsReadToItsEnd(t *testing.T) {
	onEachMapAndMeaning(t, func(t *testing.T, m *engine.Map, meaning engine.Option) {
		path := filepath.Join(t.TempDir(), "file")
		data := fds.Pattern(200_000)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		file, err := os.Open(path)
		require.NoError(t, err)
		f := newFile(t, m, int(file.Fd()))
		require.NoError(t, file.Close()) // the channel has a duplicate
		require.NoError(t, m.Loop(meaning, engine.WithTimeout(long)))
		assert.Equal(t, data, f.got)
	})
}

func TestFileWrapper(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	in, err := socket.NewFileWrapper(int(r.Fd()))
	require.NoError(t, err)
	out, err := socket.NewFileWrapper(int(w.Fd()))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	flags, err := unix.FcntlInt(uintptr(in.FD()), unix.F_GETFD, 0)
	require.NoError(t, err)
	assert.NotZero(t, flags&unix.FD_CLOEXEC)

	n, err := out.Send([]byte("wrapped"))
	require.NoError(t, err)
	assert.Equal(t, 7, n)
	buf := make([]byte, 16)
	n, err = in.Recv(buf)
	require.NoError(t, err)
	assert.Equal(t, "wrapped", string(buf[:n]))

	require.NoError(t, unix.SetNonblock(in.FD(), true))
	_, err = in.Recv(buf)
	assert.ErrorIs(t, err, unix.EAGAIN)
	require.NoError(t, out.Close())
	require.NoError(t, out.Close())
	_, err = out.Send([]byte("x"))
	assert.ErrorIs(t, err, unix.EBADF)
	assert.ErrorContains(t, err, "write: ")
	n, err = in.Recv(buf)
	assert.Equal(t, io.EOF, err)
	assert.Zero(t, n)
	require.NoError(t, in.Close())
	_, err = in.Recv(buf)
	assert.ErrorContains(t, err, "read: ")
	_, err = socket.NewFileWrapper(-1)
	assert.ErrorIs(t, err, unix.EBADF)
	assert.ErrorContains(t, err, "dup: ")
}

func TestSetFileThatIsNone(t *testing.T) {
	m := newMap(t, "")
	f := &fileChannel{}
	f.Init(f, m)
	assert.ErrorIs(t, f.SetFile(fds.Closed(t)), unix.EBADF)
	assert.Zero(t, m.Len())
	assert.False(t, f.Connected())
}
