/* The extension's functions that do not go through gopy: run(), and what asks the mirror or reports to it. */
#pragma once

#include "cpython.h"

int ga_functions_setup(PyObject *module); /* adds them */

/* What watch.c reports of a WATCH_PROBE. */
void ga_probe_changed(void *owner, PyDict_WatchEvent event, PyObject *key, PyObject *value);
