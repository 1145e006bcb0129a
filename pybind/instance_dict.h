/* The dicts of channels: which can be watched, and reports of those that are replaced. */
#pragma once

#include "cpython.h"

/* Whether looking a name up in it runs no Python code. */
int ga_only_names(PyObject *dict);

/* The object's dict, changed so that its watcher sees every store; owned. NULL without an exception if there is none. */
PyObject *ga_watchable_dict(PyObject *obj);

/* Learns from an ordinary class how CPython replaces instance dicts. From then on, `replaced` is called with a dict that an
 * object is about to lose. It runs no Python code. */
void ga_instance_dict_setup(PyTypeObject *type, void (*replaced)(PyObject *dict));

/* Whether replacing the dict of the class's instances is reported from now on. */
int ga_replacing_shows(PyTypeObject *type);
