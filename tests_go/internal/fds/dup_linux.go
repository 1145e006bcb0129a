package fds

import "golang.org/x/sys/unix"

// Dup2 puts a duplicate of from in the place of to. Some of Linux's architectures have dup3 alone.
func Dup2(from, to int) error { return unix.Dup3(from, to, 0) }
