//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// FileDispatcher: files, pipes and devices.

package engine

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/goasyncore/goasyncore/engine/socket"
)

// FileDispatcher is a [Dispatcher] for a file, a pipe or a device. A regular file is always ready,
// in both directions.
type FileDispatcher struct{ Dispatcher }

// SetFile duplicates fd, makes it non-blocking (the original as well: they share the open file) and puts
// the channel, connected, into its map.
func (d *FileDispatcher) SetFile(fd int) error {
	f, err := socket.NewFileWrapper(fd)
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(f.FD(), true); err != nil {
		f.Close()
		return os.NewSyscallError("fcntl", err)
	}
	if err := d.Attach(f); err != nil {
		f.Close()
		return err
	}
	return nil
}
