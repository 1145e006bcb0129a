// Package examples builds the programs of examples/go, runs them, and talks to them.
package examples

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goasyncore/goasyncore/tests_go/internal/fds"
)

const long = time.Minute // for waits that something ends

var listeningOn = regexp.MustCompile(`listening on (\S+)`)

// binaries is where the programs are built, by the first test that needs one.
var binaries string

func TestMain(m *testing.M) {
	var err error
	if binaries, err = os.MkdirTemp("", "examples"); err != nil {
		panic(err)
	}
	status := m.Run()
	_ = os.RemoveAll(binaries)
	os.Exit(status)
}

var buildAll = sync.OnceValues(func() (string, error) {
	output, err := exec.Command("go", "build", "-o", binaries+"/", "../../examples/go/...").CombinedOutput()
	return string(output), err
})

// built is a built program of examples/go.
func built(t *testing.T, name string) string {
	output, err := buildAll()
	require.NoError(t, err, output)
	return filepath.Join(binaries, name)
}

// program is a running program, and where it listens.
type program struct {
	command *exec.Cmd
	address string
	output  *bufio.Reader
}

// start starts a program and waits until it says where it listens.
func start(t *testing.T, path string, args ...string) *program {
	command := exec.Command(path, args...)
	stderr, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_, _ = io.Copy(io.Discard, stderr)
		_ = command.Wait()
	})
	p := &program{command: command, output: bufio.NewReader(stderr)}
	p.address = p.says(t, listeningOn)
	return p
}

// says reads what the program logs until the pattern is found, and returns its first group.
func (p *program) says(t *testing.T, pattern *regexp.Regexp) string {
	for {
		line, err := p.output.ReadString('\n')
		require.NoError(t, err, line)
		if found := pattern.FindStringSubmatch(line); found != nil {
			return found[len(found)-1]
		}
	}
}

// limited is a program that may have only so many descriptors.
func limited(descriptors int, path string, args ...string) (string, []string) {
	script := fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, descriptors)
	return "/bin/sh", append([]string{"-c", script, path}, args...)
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

func connect(t *testing.T, address string) *net.TCPConn {
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(long)))
	return conn.(*net.TCPConn)
}

// certificate writes one for 127.0.0.1, and its key.
func certificate(t *testing.T) (roots *x509.CertPool, certificate, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{{127, 0, 0, 1}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	certificate, key = filepath.Join(t.TempDir(), "certificate"), filepath.Join(t.TempDir(), "key")
	for path, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	}
	return roots, certificate, key
}

// arguments are what each example takes after its address.
func arguments(t *testing.T) map[string][]string {
	_, certificate, key := certificate(t)
	return map[string][]string{
		"echo": nil, "lines": nil, "cores": {"2"}, "relay": {"127.0.0.1:1"}, "tls": {certificate, key},
	}
}

func TestExamplesWithTheirPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	folders, err := os.ReadDir("../../examples/go")
	require.NoError(t, err)
	more := arguments(t)
	for _, folder := range folders {
		require.Contains(t, more, folder.Name())
		t.Run(folder.Name(), func(t *testing.T) {
			args := append([]string{taken.Addr().String()}, more[folder.Name()]...)
			output, err := exec.Command(built(t, folder.Name()), args...).CombinedOutput()
			var status *exec.ExitError
			require.ErrorAs(t, err, &status)
			assert.Equal(t, 1, status.ExitCode())
			assert.Contains(t, string(output), "listen tcp "+taken.Addr().String()+": bind: address already in use")
		})
	}
}

func TestExamplesWithFewDescriptors(t *testing.T) {
	target := start(t, built(t, "echo"), "127.0.0.1:0")
	more := arguments(t)
	more["relay"] = []string{target.address}
	for _, name := range []string{"echo", "cores", "relay"} {
		t.Run(name, func(t *testing.T) {
			path, args := limited(24, built(t, name), append([]string{"127.0.0.1:0"}, more[name]...)...)
			p := start(t, path, args...)
			var crowd []*net.TCPConn
			for range 60 {
				crowd = append(crowd, connect(t, p.address))
			}
			p.says(t, regexp.MustCompile("too many open files"))
			for _, conn := range crowd {
				require.NoError(t, conn.Close())
			}
			// Those that were never accepted are served first, and are gone. Then there is room.
			conn := connect(t, p.address)
			for {
				_, err := conn.Write([]byte("x"))
				require.NoError(t, err)
				if _, err = conn.Read(make([]byte, 1)); err == nil {
					break
				}
				conn = connect(t, p.address) // it came while there was no room
			}
		})
	}
}

func TestExampleRelayOutlivesItsTarget(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	for target, says := range map[string]string{
		gone.Addr().String():      "connection refused",
		"no-such-host.invalid:80": "no-such-host.invalid",
		"127.0.0.1":               "missing port",
	} {
		p := start(t, built(t, "relay"), "127.0.0.1:0", target)
		for range 2 {
			conn := connect(t, p.address)
			fds.AssertEnded(t, conn)
			p.says(t, regexp.MustCompile(regexp.QuoteMeta(says)))
		}
	}
}

func TestExampleRelayHandsOnWhatFollowsAHalfClose(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer target.Close()
	p := start(t, built(t, "relay"), "127.0.0.1:0", target.Addr().String())
	data := fds.Pattern(4 << 20)
	for range 2 { // whichever side ends first
		client := connect(t, p.address)
		conn, err := target.Accept()
		require.NoError(t, err)
		ends := [2]*net.TCPConn{client, conn.(*net.TCPConn)}
		for range 2 {
			go func(sender *net.TCPConn) {
				_, _ = sender.Write(data)
				_ = sender.CloseWrite()
			}(ends[0])
			got, err := io.ReadAll(ends[1]) // to the end, which is handed on as well
			require.NoError(t, err)
			assert.True(t, bytes.Equal(data, got))
			ends[0], ends[1] = ends[1], ends[0]
		}
		require.NoError(t, conn.Close())
	}
}

func TestExampleLineServerDrains(t *testing.T) {
	p := start(t, built(t, "lines"), "127.0.0.1:0")
	conn := connect(t, p.address)
	assert.Equal(t, "here\r\n", ask(t, conn, "echo here\r\n", 6))
	require.NoError(t, p.command.Process.Signal(os.Interrupt))
	rest, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Equal(t, "the server ends\r\n", string(rest))
	p.says(t, regexp.MustCompile("that was all"))
	require.NoError(t, p.command.Wait())
}

func TestExampleTLSServer(t *testing.T) {
	roots, certificate, key := certificate(t)
	p := start(t, built(t, "tls"), "127.0.0.1:0", certificate, key)
	data := fds.Pattern(2 << 20)
	for range 2 {
		plain := connect(t, p.address) // no TLS at all
		_, err := plain.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
		require.NoError(t, err)
		conn, err := tls.Dial("tcp", p.address, &tls.Config{RootCAs: roots})
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(long)))
		go func() { _, _ = conn.Write(data) }()
		got := make([]byte, len(data))
		_, err = io.ReadFull(conn, got)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(data, got))
		require.NoError(t, conn.CloseWrite())
		_, err = conn.Read(got)
		assert.Equal(t, io.EOF, err)
		require.NoError(t, conn.Close())
	}
}

func TestExampleOnAllCoresServesManyClients(t *testing.T) {
	p := start(t, built(t, "cores"), "127.0.0.1:0", "4")
	for range 40 {
		assert.Equal(t, "hello", ask(t, connect(t, p.address), "hello", 5))
	}
}

func TestExampleLineServerBehindTheRelay(t *testing.T) {
	lines := start(t, built(t, "lines"), "127.0.0.1:0").address
	relay := start(t, built(t, "relay"), "127.0.0.1:0", lines).address
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
	relay := start(t, built(t, "relay"), "127.0.0.1:0", server.Addr().String()).address
	data := fds.Pattern(8 << 20)
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
