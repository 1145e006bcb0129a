//go:build !engine_calls

// The hook for tests that count system calls, which does nothing in other builds.

package poller

// counted is called before each system call that a wait may make. With the build tag engine_calls, tests count
// them; without it, nothing happens.
func counted() {}
