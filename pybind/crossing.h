/* Calls of Go and the way back, which a forked child takes by a jump.
 *
 * A Go runtime does not survive a fork: the child has only the thread that forked, and a lock or a processor that another thread
 * held is gone for good. So the child of a fork in a handler leaves the run by a jump over Go's frames, and the child of any fork
 * never calls Go again. */
#pragma once

#include "cpython.h"

int ga_crossing_setup(PyObject *module);

/* Whether a run may enter Go. Greenlets leave runs in another order than they entered them, which Go's frames do not survive. */
int ga_may_call_go(void);

/* Calls pybind_Run. The child of a fork in a handler returns from it too. */
PyObject *ga_call_go(PyObject *args);

/* Ends a call from Go: releases the GIL. In a forked child it leaves the run, with the GIL; then ga_call_go returns `made`. */
void ga_return_to_go(long made);
