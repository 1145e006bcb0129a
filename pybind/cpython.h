/* What all others need of CPython: the GIL, the clock, names, lengths and tracebacks.
 *
 * Rules for every file above. A function requires the GIL unless its comment says "Takes the GIL" (it may be called without)
 * or "Needs no GIL". It returns 0, or -1 with an exception set, unless its comment says something else. PyObject pointers are
 * borrowed unless they are said to be owned. "Runs Python code" is a warning: any channel, class or map may be gone after it.
 * All of it runs in the main interpreter. */
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

/* Names of attributes, interned: those that decide what a channel waits for and which handlers are called, and others. From
 * accepting to producer_fifo, the deciding ones must be plain attributes. clang-format would format the lists anew each time. */
/* clang-format off */
#define GA_DECIDING(X) \
    X(readable) X(writable) X(accepting) X(connected) X(out_buffer) X(producer_fifo) \
    X(handle_read_event) X(handle_write_event) X(handle_read) X(handle_write) X(handle_accept)
#define GA_OTHERS(X) \
    X(socket) X(handle_expt_event) X(handle_close) X(handle_error) X(read) X(write) X(_exception) X(readwrite) \
    X(recv) X(send) X(debug) X(initiate_send) X(incoming) X(join) X(more) X(appendleft) X(_attended) \
    X(ac_out_buffer_size) X(ac_in_buffer_size) X(ac_in_buffer) X(terminator) X(get_terminator) X(collect_incoming_data) \
    X(found_terminator) X(mro) X(ssl) X(SSLSocket) X(accept) X(_accept) \
    X(family) X(type) X(proto) X(__init__) X(__new__) X(_io_refs) X(_closed)
#define GA_NUMBER(name) N_##name,
enum { GA_DECIDING(GA_NUMBER) N_DECIDING, N_BEFORE_OTHERS = N_DECIDING - 1, GA_OTHERS(GA_NUMBER) N_COUNT };
/* clang-format on */
extern PyObject *ga_names[N_COUNT];
#define NAME(name) ga_names[N_##name]

/* What _native.py hands over; owned. */
extern struct ga_tools {
    PyObject *rules_of;            /* class -> (ga_rule, dependencies, result) of readable, and of writable */
    PyObject *aftermath;           /* (channel, what raises) -> stand-in for read() and readwrite() */
    PyObject *intact;              /* namespace -> whether the pass functions in it are ours */
    PyObject *run_due;             /* map -> None: makes the scheduled calls that are due */
    PyObject *watch;               /* (channel, name) -> None: calls that method and reports if it was slow; NULL: not wanted */
    PyTypeObject *deque, *backlog; /* the latter is the bytearray of dispatcher_with_send */
} ga_tools;

extern int ga_forked; /* this process is a fork of one with Go: nothing is mirrored any more */
extern int ga_ended;  /* the interpreter is ending: nothing is mirrored any more */
extern int ga_loops;  /* threads that are in a run */

int ga_cpython_setup(void);

/* Takes the GIL, in a thread that came from Python and released it; PyEval_SaveThread() releases it again. Unlike
 * PyGILState_Ensure() it is safe in an interpreter that is ending: there it does not return. */
void ga_take_gil(void);

/* Around a system call that does not wait: releases the GIL, as CPython does, if several threads have loops. The kernel lets a
 * thread that it has woken run when such a call returns, and that thread would only wait for the GIL. With 16 loops in 16
 * threads, a message takes 20.6 us instead of 23.7. */
static inline PyThreadState *ga_release_gil(void)
{
    return ga_loops > 1 ? PyEval_SaveThread() : NULL;
}

static inline void ga_regain_gil(PyThreadState *thread)
{
    if (thread)
        PyEval_RestoreThread(thread); /* keeps errno */
}

/* time.monotonic(). Needs no GIL. */
double ga_now(void);

/* Makes room for `need` items. 0, or -1 without an exception. */
int ga_reserve(void *items, int32_t *size, int32_t need, size_t item);

/* Where one of CPython's containers stores its length; NULL for any other object. */
const Py_ssize_t *ga_length_of(PyObject *value);

/* Adds the frame of that function to the traceback of the exception that is set. */
void ga_pass_through(PyObject *function);
