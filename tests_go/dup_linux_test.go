package tests_go

import "golang.org/x/sys/unix"

// dup2 puts a duplicate of from in the place of to. Some of Linux's architectures have dup3 alone.
func dup2(from, to int) error { return unix.Dup3(from, to, 0) }
