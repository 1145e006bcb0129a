//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Do and Wake, for other goroutines.

package engine

import "slices"

// Wake ends the wait of the loop that runs, or else of the next one: that pass is over with nothing
// ready, and the next one asks the channels again. It may be called from any goroutine.
func (m *Map) Wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wake()
}

// wake is Wake, with the lock.
func (m *Map) wake() {
	m.awake.Store(true)
	if m.waker == nil {
		m.woken = true
	} else {
		_ = m.waker.Wake() // fails only when the map is closed: then nobody waits
	}
}

// Do has the loop call f between two passes, soon if it runs and when it starts if it doesn't.
// Functions are called in the order in which they came; a loop that ends leaves the rest to the
// next one. A panic in f leaves Loop. Do may be called from any goroutine.
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

// work calls what Do got, but not what it gets meanwhile: passes come in between.
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
		m.wake() // Do does that for the first one only
	}
}

// unlocked calls f without the lock.
func (m *Map) unlocked(f func()) {
	m.mu.Unlock()
	defer m.mu.Lock()
	f()
}
