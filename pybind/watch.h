/* CPython's watchers of dicts, classes and functions.
 *
 * A dict is watched as one thing, for one owner. What changes is reported to the functions that ga_watch_setup was given. They
 * are called before the change is made, with the GIL, on whatever thread makes it, perhaps with an exception set. So they mark
 * and return: they run no Python code and touch no exception. */
#pragma once

#include "cpython.h"

typedef enum { WATCH_MAP, WATCH_CHANNEL, WATCH_NAMESPACE, WATCH_GLOBALS, WATCH_PROBE, WATCH_KINDS } ga_watch_kind;

typedef struct {
    void (*dict[WATCH_KINDS])(void *owner, PyDict_WatchEvent event, PyObject *key, PyObject *value);
    void (*class)(PyTypeObject *type);
    void (*function)(PyObject *function);
    void (*touch)(void);                   /* after each of these two */
    void (*class_assigned)(PyObject *obj); /* or about to be */
    void (*monitored)(void);               /* a tool registers with sys.monitoring, or may without being reported */
} ga_watch_reports;

int ga_watch_setup(const ga_watch_reports *to); /* which stays where it is */

/* What was seen to work: 0 nothing, 1 watching maps, 2 watching channels and classes as well. */
extern int ga_trusted;
void ga_watch_trust(int level);

/* 0, or -1 without an exception: it cannot be, or is watched already. `owner` is aligned to 8 bytes. */
int ga_watch(PyObject *dict, ga_watch_kind kind, void *owner);
void ga_unwatch(PyObject *dict);
void *ga_watched(PyObject *dict, ga_watch_kind kind); /* its owner, or NULL */
int ga_is_watched(PyObject *dict);

int ga_watch_class(PyTypeObject *type); /* 0, or -1 without an exception */
void ga_unwatch_class(PyTypeObject *type);
