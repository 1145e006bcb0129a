//go:build !linux

package fds

import "golang.org/x/sys/unix"

// Dup2 puts a duplicate of from in the place of to.
func Dup2(from, to int) error { return unix.Dup2(from, to) }
