//go:build gopy_binding

// Keeps Go's own poller closed, because what programs do to descriptors would break it.

package pybind

import (
	"math"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"

	_ "github.com/goasyncore/goasyncore/pybind/stdio"
)

// Go's runtime opens its poller for the first timer, and for the first file that can be waited for. If the process has no
// descriptor left at that moment, Go ends it. If the program later closes all descriptors, as daemons do, Go ends it as well.
// So the extension has no timers and no such files. But the runtime has a timer of its own: its scavenger, which returns free
// memory to the system, rests in between.
//
// The scavenger returns what exceeds 110 % of the heap that was in use at the last collection. The ballast is an allocation
// that is in use for ever. So nothing is returned unless the rest of the heap was once larger than a tenth of the ballast,
// which takes about 100,000 channels, or a collection that gets no processor while the loop goes on: one that lasted 1.1 s let
// the heap grow by 70 MB. The collector never reads or writes an allocation without pointers, so the ballast's pages are
// unmapped: it costs no address space, and no memory except what the collector notes of it, half a megabyte.
const (
	ballastSize = 256 << 20
	arenas      = ballastSize + 64<<20 // what Go may reserve for it
	gcPercent   = 2                    // a collection every 5 MB; Go's default without the ballast is every 4 MB
)

var ballast unsafe.Pointer

// takeBallast allocates the ballast. Where the system refuses that much for a moment, there is none: Go would end the process.
func takeBallast() {
	debug.SetMemoryLimit(math.MaxInt64) // a GOMEMLIMIT, which the ballast would exceed
	room, err := unix.MmapPtr(-1, 0, nil, arenas, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil {
		_ = unix.MunmapPtr(room, arenas)
		ballast = unsafe.Pointer(unsafe.SliceData(make([]byte, ballastSize)))
		page := uintptr(unix.Getpagesize())
		skip := -uintptr(ballast) & (page - 1) // Go's pages can be smaller than the system's
		_ = unix.MunmapPtr(unsafe.Add(ballast, skip), (ballastSize-skip)&^(page-1))
		debug.SetGCPercent(gcPercent)
	}
}
