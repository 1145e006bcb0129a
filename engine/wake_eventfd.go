//go:build linux

package engine

import "golang.org/x/sys/unix"

// openWaker opens an eventfd, or a pipe where a sandbox has none: one descriptor instead of two,
// and one read takes all that is pending.
func openWaker() (*waker, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return openPipe()
	}
	fd = aside(fd)
	return &waker{read: fd, write: fd}, nil
}
