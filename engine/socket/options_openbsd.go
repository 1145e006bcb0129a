// Socket options: OpenBSD.

package socket

import "golang.org/x/sys/unix"

const reusePort = unix.SO_REUSEPORT

// keepAliveTimes are none: there is one for the whole system.
var keepAliveTimes []int
