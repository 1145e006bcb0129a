// Socket options: FreeBSD.

package socket

import "golang.org/x/sys/unix"

// reusePort is the one that divides connections: FreeBSD's SO_REUSEPORT gives all to the last socket.
const reusePort = unix.SO_REUSEPORT_LB

var keepAliveTimes = []int{unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL}
