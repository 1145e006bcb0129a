// Socket options: FreeBSD.

package socket

import "golang.org/x/sys/unix"

// reusePort is the option that distributes connections: with FreeBSD's SO_REUSEPORT the last socket gets all.
const reusePort = unix.SO_REUSEPORT_LB

var keepAliveTimes = []int{unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL}
