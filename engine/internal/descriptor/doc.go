//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Package descriptor has what every layer of the engine does with the numbers of descriptors.
package descriptor
