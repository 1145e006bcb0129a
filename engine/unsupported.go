//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

// The message of a build on another system.

package engine

// Elsewhere, the compiler's message is this sentence.
var _ = this_package_serves_Linux_macOS_and_the_BSDs_only
