//go:build gopy_binding

// Package pybind is the boundary between Python and the engine. It presents a Python dict of channels as a
// selector.Source.
//
// It is the only package that gopy sees, and the only one with cgo. It needs Python's headers, so only setup.py
// builds it, with the build tag gopy_binding.
//
// # Terms
//
// A pass is one iteration of the loop. To ask a channel is to call its readable() and writable(), its
// predicates; to tell a channel is to call one of its handlers. Its interest is what it waits for: reading,
// writing, both or nothing.
//
// A mirror is what is known of a map, from one run to the next: which channel has which number, its interest,
// and what the engine was told of it. CPython's watchers report changes of the map, and of channels, their
// classes and functions. They mark the channel, and the next pass looks only at marked channels.
//
// A predicate is settled while its result is known: it is one of ours, which C evaluates, or its class has a
// plan, the list of all that its result depends on, which was found in its bytecode. A channel whose
// predicates are not both settled is asked in each pass. In the same sense a map is settled for an asyncio
// loop: a run that settles makes one pass and asks once more, so that the poller has every interest. Until
// something changes, the poller's descriptor then becomes readable when a channel is ready.
//
// # A run
//
// One call of asyncore.loop is one run. It begins in C (functions.c), which collects what the channels wait
// for. If the run is a single pass over few channels, C also makes that (short_run.c). Otherwise it calls
// pybind_Run, for which gopy releases the GIL, and the engine makes passes until the run ends. A pass is
//
//  1. selector.Run waits, without the GIL
//  2. Step crosses into C, which takes the GIL (ga_step in run.c)
//  3. the channels that are ready are told (dispatch.c), and scheduled calls that are due are made
//  4. marked channels are looked at (predicates.c), those that are not settled are asked in map order, which
//     settles those with plans, and the changes of interest are collected (interest.c)
//  5. Step returns the changes, and selector.Run registers them with the poller
//
// An exception that leaves a handler, and that handle_error does not handle, stays set in the thread; the run
// ends, and gopy raises it.
//
// # Ownership
//
// Python objects belong to C: Go holds no reference to one and looks into none. Go knows a mirrored map by a
// pointer to its ga_map, which is valid during a run, and by a handle between runs. The buffer of events is
// Go's, that of changes is C's; each side only reads the other's, during the call.
//
// The rules for the GIL and for references are in cpython.h. Each C file has a header with its contract, and
// uses only files below it; CONTRIBUTING.md has the picture. To understand a pass, read the headers and run.c.
package pybind
