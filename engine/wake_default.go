//go:build unix && !linux

package engine

// openWaker opens a pipe: the platform has nothing smaller.
func openWaker() (*waker, error) { return openPipe() }
