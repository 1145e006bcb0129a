package poller

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// wait calls p.Wait, and again if a signal ends it: Go's runtime sends itself some.
func wait(p Poller, ready []Ready, timeout time.Duration) (n int, err error) {
	for {
		if n, err = p.Wait(ready, timeout); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
