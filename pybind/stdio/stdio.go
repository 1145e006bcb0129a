// Package stdio keeps package os from opening the standard streams, which are the program's.
//
// If one of them does not block, os would register it with Go's poller (see pybind/ballast.go). Go initializes packages in
// the order of their paths, as far as what they import allows. This one imports only what os imports as well, and its path
// comes first, so it runs before os looks at these numbers.
package stdio

import "syscall"

func init() {
	syscall.Stdin, syscall.Stdout, syscall.Stderr = -1, -1, -1 // os.Stdin, os.Stdout and os.Stderr are nil
}
