//go:build linux

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

type options struct {
	load   string
	port   int
	active int
	idle   int
	blind  bool
	size   int
	flight int
}

var loads = map[string]func(options, *meter) error{
	"echo":  echo,
	"churn": churn,
	"in":    streamIn,
	"out":   streamOut,
	"lines": lines,
}

func main() {
	var o options
	var m meter
	var limit time.Duration
	flag.StringVar(&o.load, "load", "echo", "echo, churn, in, out or lines")
	flag.IntVar(&o.port, "port", 0, "the server's port on 127.0.0.1")
	flag.IntVar(&o.active, "active", 1, "connections that talk")
	flag.IntVar(&o.idle, "idle", 0, "connections that are open beside them")
	flag.BoolVar(&o.blind, "blind", false, "open the idle ones without an answer from the server")
	flag.IntVar(&o.size, "size", 64, "bytes of a message, its line end included")
	flag.IntVar(&o.flight, "flight", 16, "lines that a connection of -load lines has under way")
	flag.IntVar(&m.server, "server", 0, "the server's process id")
	flag.DurationVar(&m.warm, "warm", 100*time.Millisecond, "time before the window")
	flag.DurationVar(&m.length, "duration", 300*time.Millisecond, "time of the window")
	flag.Int64Var(&m.atLeast, "at-least", 1, "operations that the window takes at the least")
	flag.DurationVar(&limit, "limit", time.Minute, "end with an error after this time")
	flag.Parse()

	// A collection would wait for a thread that is inside a raw system call.
	debug.SetGCPercent(-1)
	runtime.LockOSThread()
	// The limit's timer runs on another thread while the load's is inside a call, on one core too.
	runtime.GOMAXPROCS(2)
	time.AfterFunc(limit, func() { fail(fmt.Errorf("not done after %v", limit)) })
	run, known := loads[o.load]
	if !known {
		fail(fmt.Errorf("-load %q is not known", o.load))
	}
	if err := raiseLimit(); err != nil {
		fail(err)
	}
	if err := run(o, &m); err != nil {
		fail(fmt.Errorf("%s: %w", o.load, err))
	}
	if err := json.NewEncoder(os.Stdout).Encode(m.result); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "loadgen:", err)
	os.Exit(1)
}

func raiseLimit() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	limit.Cur = limit.Max
	return os.NewSyscallError("setrlimit", syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
}
