// Socket options: OpenBSD.

package socket

import "golang.org/x/sys/unix"

const reusePort = unix.SO_REUSEPORT

// keepAliveTimes is empty: the time is the same for the whole system.
var keepAliveTimes []int
