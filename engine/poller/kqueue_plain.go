//go:build freebsd || netbsd

// kqueue: where it does not.

package poller

import "golang.org/x/sys/unix"

// These kernels have no filter for priority data. A channel finds it together with ordinary data, when it reads.
var filters = []filter{
	{Read, unix.EVFILT_READ, 0},
	{Write, unix.EVFILT_WRITE, 0},
}
