//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Do and Wake, for other goroutines.

package engine

import "slices"

// Wake ends the wait of the loop that is running, or else of the next one. That pass ends without an event,
// and the next pass asks the channels again. Wake may be called from any goroutine.
func (m *Map) Wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wake()
}

// wake is Wake. It requires the lock.
func (m *Map) wake() {
	m.awake.Store(true)
	if m.waker == nil {
		m.woken = true
	} else {
		_ = m.waker.Wake() // fails only when the map is closed: then no loop waits
	}
}

// Do makes the loop call f between two passes: soon if it is running, else when it starts. Functions are
// called in the order of the calls of Do. If the loop ends before, the next one calls them. A panic in f
// propagates out of Loop. Do may be called from any goroutine.
func (m *Map) Do(f func()) {
	if f == nil {
		panic("engine: Do needs a function")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tasks = append(m.tasks, f)
	m.posted.Store(true)
	if len(m.tasks) == 1 {
		m.wake()
	}
}

// work calls the functions given to Do until now. Those that are given to it meanwhile are called after the
// next pass.
func (m *Map) work() {
	if !m.posted.Load() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := len(m.tasks); n > 0 && len(m.tasks) > 0; n-- {
		f := m.tasks[0]
		m.tasks = slices.Delete(m.tasks, 0, 1)
		m.posted.Store(len(m.tasks) > 0)
		m.unlocked(f)
	}
	if len(m.tasks) > 0 {
		m.wake() // Do wakes the loop for the first function only
	}
}

// unlocked calls f without the lock.
func (m *Map) unlocked(f func()) {
	m.mu.Unlock()
	defer m.mu.Lock()
	f()
}
