//go:build !linux

package tests_go

import "golang.org/x/sys/unix"

// dup2 puts a duplicate of from in the place of to.
func dup2(from, to int) error { return unix.Dup2(from, to) }
