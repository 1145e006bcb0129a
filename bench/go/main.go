// The Go engine against others: go run . in this folder, on Linux with two cores.
//
// Each server is an echo server of its own process on the first core; the load comes from this
// process, on the second. What is printed is the server's CPU time per message, the median of some
// rounds in which the servers take turns, and its ratio to the engine's. A module of its own, so that
// the library depends on none of this.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

var (
	serve   = flag.String("serve", "", "be this server (for the program itself)")
	rounds  = flag.Int("rounds", 5, "how often each server is measured")
	window  = flag.Duration("window", time.Second, "how long each measurement takes")
	idle    = flag.Int("idle", 10000, "idle connections in the case that has some")
	names   = flag.String("servers", "engine,epoll,gnet,evio,net", "the servers to measure")
	actives = flag.String("cases", "100,500,100+idle,sparse",
		"the numbers of active connections; sparse is one, with a message every 20 ms")
)

func main() {
	flag.Parse()
	raiseLimit()
	if *serve != "" {
		log.Fatal(servers[*serve]())
	}
	results := map[string]map[string][]float64{}
	for round := range *rounds {
		for _, name := range strings.Split(*names, ",") {
			for _, scene := range strings.Split(*actives, ",") {
				cost, err := measure(name, scene)
				if err != nil {
					log.Fatalf("%s, %s: %v", name, scene, err)
				}
				if results[scene] == nil {
					results[scene] = map[string][]float64{}
				}
				results[scene][name] = append(results[scene][name], cost)
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, *rounds)
	}
	fmt.Printf("%-12s %-8s %10s %8s %16s\n", "active", "server", "us/message", "ratio", "range")
	for _, scene := range strings.Split(*actives, ",") {
		ours := median(results[scene]["engine"])
		for _, name := range strings.Split(*names, ",") {
			costs := results[scene][name]
			fmt.Printf("%-12s %-8s %10.2f %8.2f %7.2f - %6.2f\n", scene, name, median(costs),
				median(costs)/ours, slices.Min(costs), slices.Max(costs))
		}
	}
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// measure starts a server, and returns its CPU time per message in µs.
func measure(name, scene string) (float64, error) {
	server, address, err := start(name, scene != "sparse")
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	active, beside := 0, 0
	if scene == "sparse" {
		active = 1
	} else if _, err := fmt.Sscan(scene, &active); err != nil {
		return 0, err
	}
	if strings.HasSuffix(scene, "+idle") {
		beside = *idle
	}
	load, err := newLoad(address, active, beside)
	if err != nil {
		return 0, err
	}
	defer load.close()
	run := load.run
	if scene == "sparse" {
		run = func(length time.Duration) (int, error) { return load.sparse(length, 20*time.Millisecond) }
	}
	if _, err := run(*window / 4); err != nil {
		return 0, err
	}
	before := cpuTime(server.Process.Pid)
	messages, err := run(*window)
	if err != nil || messages == 0 {
		return 0, errors.Join(err, fmt.Errorf("%d messages", messages))
	}
	return float64(cpuTime(server.Process.Pid)-before) / float64(messages) / 1000, nil
}

// start starts a server on the first core, or on all, and moves this process to the second. With a message
// now and then it is all: what Go's monitor thread does then shows only where it has a core.
func start(name string, onOne bool) (*exec.Cmd, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	runtime.LockOSThread() // a child inherits the core of the thread that makes it
	if onOne {
		pin(0)
	} else {
		pin(0, 1)
	}
	defer pin(1)
	command := exec.Command(self, "-serve", name)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := command.Start(); err != nil {
		return nil, "", err
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() { // some servers log there too
		if address, ok := strings.CutPrefix(lines.Text(), listening); ok {
			go func() { _, _ = io.Copy(io.Discard, stdout) }()
			return command, strings.TrimSpace(address), nil
		}
	}
	_ = command.Process.Kill()
	return nil, "", errors.Join(errors.New("it does not listen"), lines.Err(), command.Wait())
}

func pin(cores ...int) {
	var set unix.CPUSet
	for _, core := range cores {
		set.Set(core % runtime.NumCPU())
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		log.Print("not pinned: ", err)
	}
}

// cpuTime is what a process has used.
func cpuTime(pid int) time.Duration {
	var spent unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &spent); err != nil {
		log.Fatal(os.NewSyscallError("clock_gettime", err))
	}
	return time.Duration(spent.Nano())
}

func raiseLimit() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
}
