//go:build !engine_calls

// The hook for tests that count system calls, which does nothing in other builds.

package poller

// counted is called before each system call that a wait may make. Tests with the build tag engine_calls
// count them; here it is nothing.
func counted() {}
