//go:build linux || netbsd || dragonfly

// Socket options: Linux, NetBSD and DragonFly BSD.

package socket

import "golang.org/x/sys/unix"

const reusePort = unix.SO_REUSEPORT

var keepAliveTimes = []int{unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL}
