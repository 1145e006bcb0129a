//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// meter holds the window of a measurement.
type meter struct {
	server       int
	warm, length time.Duration
	atLeast      int64

	phase     phase
	opens     time.Time
	began     time.Time
	done      int64
	serverCPU time.Duration
	ourCPU    time.Duration
	result    result
}

type phase int

const (
	waiting phase = iota
	warming
	measuring
)

type result struct {
	Operations   int64   `json:"operations"`
	Seconds      float64 `json:"seconds"`
	ServerCPU    float64 `json:"server_cpu"`
	GeneratorCPU float64 `json:"generator_cpu"`
	ServerMemory int64   `json:"server_memory"`
}

// served says that the server has everything it will have: the warm-up begins.
func (m *meter) served() {
	m.phase = warming
	m.opens = time.Now().Add(m.warm)
}

// over takes the number of operations done so far, opens the window in time, and tells whether it
// has closed. Before served it says no.
func (m *meter) over(done int64) (bool, error) {
	if m.phase == waiting {
		return false, nil
	}
	now := time.Now()
	if m.phase == warming {
		if now.Before(m.opens) {
			return false, nil
		}
		m.phase, m.began, m.done = measuring, now, done
		var err error
		m.serverCPU, m.ourCPU, err = m.clocks()
		return false, err
	}
	if now.Sub(m.began) < m.length || done-m.done < m.atLeast {
		return false, nil
	}
	server, ours, err := m.clocks()
	if err != nil || server == m.serverCPU { // it has not run: what came was in the kernel before
		return false, err
	}
	m.result.Operations = done - m.done
	m.result.Seconds = now.Sub(m.began).Seconds()
	m.result.ServerCPU = (server - m.serverCPU).Seconds()
	m.result.GeneratorCPU = (ours - m.ourCPU).Seconds()
	m.result.ServerMemory, err = residentMemory(m.server)
	return true, err
}

func (m *meter) clocks() (server, ours time.Duration, err error) {
	// The kernel's name for the CPU clock of another process: its number, inverted, above three
	// bits, of which 2 is the precise clock. 2 alone is the clock of the caller's process.
	if server, err = clock(^m.server<<3 | 2); err != nil {
		return 0, 0, err
	}
	ours, err = clock(2)
	return server, ours, err
}

func clock(id int) (time.Duration, error) {
	var t syscall.Timespec
	_, _, errno := syscall.RawSyscall(
		syscall.SYS_CLOCK_GETTIME, uintptr(int32(id)), uintptr(unsafe.Pointer(&t)), 0)
	if errno != 0 {
		return 0, os.NewSyscallError("clock_gettime", errno)
	}
	return time.Duration(t.Nano()), nil
}

// residentMemory is in bytes.
func residentMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	var total, resident int64
	if _, err := fmt.Sscan(string(text), &total, &resident); err != nil {
		return 0, errors.Join(fmt.Errorf("/proc/%d/statm: %q", pid, text), err)
	}
	return resident * int64(os.Getpagesize()), nil
}
