//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

// The message of a build on another system.

package engine

// The compiler's message is the one sentence that whoever builds this elsewhere gets to read.
var _ = this_package_serves_Linux_macOS_and_the_BSDs_only
