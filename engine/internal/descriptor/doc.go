//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Package descriptor has tables and lists of descriptor numbers, for every layer of the engine.
package descriptor
