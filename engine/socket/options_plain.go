//go:build linux || netbsd || dragonfly

package socket

import "golang.org/x/sys/unix"

const reusePort = unix.SO_REUSEPORT

var keepAliveTimes = []int{unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL}
