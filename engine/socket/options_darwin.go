// Socket options: macOS.

package socket

import "golang.org/x/sys/unix"

const reusePort = unix.SO_REUSEPORT

// keepAliveTimes are the idle time, under Darwin's name, and the time between probes.
var keepAliveTimes = []int{unix.TCP_KEEPALIVE, unix.TCP_KEEPINTVL}
