package tests_go

import (
	"bufio"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var listeningOn = regexp.MustCompile(`listening on (\S+)`)

// start builds and starts a program of examples/go, and says where it listens.
func start(t *testing.T, name string, args ...string) (address string) {
	binary := filepath.Join(t.TempDir(), name)
	output, err := exec.Command("go", "build", "-o", binary, "../examples/go/"+name).CombinedOutput()
	require.NoError(t, err, string(output))
	command := exec.Command(binary, args...)
	stderr, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_, _ = io.Copy(io.Discard, stderr)
		_ = command.Wait()
	})
	line, err := bufio.NewReader(stderr).ReadString('\n')
	require.NoError(t, err)
	found := listeningOn.FindStringSubmatch(line)
	require.NotNil(t, found, line)
	return found[1]
}

// ask sends text, and receives an answer of that size.
func ask(t *testing.T, conn net.Conn, text string, size int) string {
	_, err := conn.Write([]byte(text))
	require.NoError(t, err)
	answer := make([]byte, size)
	_, err = io.ReadFull(conn, answer)
	require.NoError(t, err)
	return string(answer)
}

func TestExampleLineServerBehindTheRelay(t *testing.T) {
	lines := start(t, "lines", "127.0.0.1:0")
	relay := start(t, "relay", "127.0.0.1:0", lines)
	for _, address := range []string{lines, relay} {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		assert.Equal(t, "a b\r\n", ask(t, conn, "echo a b\r\n", 5))
		assert.Equal(t, "what is this?\r\n", ask(t, conn, "this\r\n", 15))
		assert.Equal(t, "bye\r\n", ask(t, conn, "quit\r\n", 5))
		n, err := conn.Read(make([]byte, 1))
		assert.Zero(t, n)
		assert.ErrorIs(t, err, io.EOF)
		require.NoError(t, conn.Close())
	}
}

func TestExampleRelayHandsOnMuch(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	relay := start(t, "relay", "127.0.0.1:0", server.Addr().String())
	data := pattern(8 << 20)
	sent := make(chan error, 1)
	go func() {
		conn, err := net.Dial("tcp", relay)
		if err == nil {
			_, err = conn.Write(data)
			_ = conn.Close()
		}
		sent <- err
	}()
	conn, err := server.Accept()
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(1<<16))
	got, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.NoError(t, <-sent)
	assert.Equal(t, len(data), len(got))
	assert.Equal(t, data, got)
}

func TestExampleEchoServerBuilds(t *testing.T) {
	output, err := exec.Command("go", "vet", "../examples/...").CombinedOutput()
	require.NoError(t, err, string(output))
}
