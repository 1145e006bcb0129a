// Package pybind is the boundary: it lets the engine serve a Python dict of channels.
//
// It is the only package that gopy sees, and the only one with cgo; it is built by setup.py alone,
// behind the build tag gopy_binding, because it takes Python's headers.
//
// One call of Run serves one call of asyncore.loop. gopy releases the GIL around it. Each pass then
// crosses into C once, in ga_step, which takes the GIL, tells the channels what happened, and
// collects what has changed in what they wait for. An exception that a handler lets out stays set in
// the thread, and gopy raises it when Run returns.
//
// Python objects belong to C: Go holds no reference to one and looks into none. A mirrored map is known
// to Go by a pointer to its ga_map, good while the run lasts, and by a handle between runs. Event
// buffers are Go's, change buffers C's; each side only reads the other's, during the call.
package pybind
