/* What a predicate depends on, as _predicates.py found it.
 *
 * A *plan* lists what the result of one class's readable() or writable() depends on. While nothing in it changes, the result
 * is the same, and the predicate need not be called. Functions run no Python code unless they say so. */
#pragma once

#include "cpython.h"

#define GA_MOST_LENGTHS 4 /* of containers, that decide what one channel waits for */

typedef enum { DEP_ATTRIBUTE, DEP_METHOD, DEP_AFTER, DEP_OF, DEP_GLOBAL, DEP_CELL, DEP_FUNCTION } ga_dep_kind; /* as in _predicates.py */
typedef enum { COUNTS_IDENTITY, COUNTS_TRUTH, COUNTS_VALUE } ga_counts;                                        /* what of a value */

/* All references are borrowed from the list that the plan was made with. */
typedef struct {
    ga_dep_kind kind;
    ga_counts counts;
    PyObject *where, *beyond; /* a class, a cell, a function, or a dict and the builtins */
    PyObject *name;           /* interned */
    PyObject *value;          /* what was found, NULL if it was not */
} ga_dependency;

typedef struct {
    int count;
    int result; /* 0 or 1 if the predicate always returns that, else -1 */
    ga_dependency deps[];
} ga_plan;

extern uint64_t ga_plan_epoch;  /* rises with each change of a function, and of a global that a plan depends on */
extern int ga_plans_with_cells; /* there are or were some: changes of a cell are not reported, so it is compared in each pass */

/* In a watched namespace; NULL stands for all its keys. Whether a plan may depend on it. */
int ga_plan_global_changed(PyDict_WatchEvent event, PyObject *key);

/* Looks up what the dependencies, as _predicates returns them, are for the class, and holds that in the list. `result` is what
 * the predicate always returns, or None. Sets *again if it must be repeated, because changes are seen only from now on. NULL
 * with an exception set; or without one if changes would not be seen. PyMem_RawFree() frees it. */
ga_plan *ga_plan_made(PyTypeObject *type, PyObject *dependencies, PyObject *result, PyObject *held, int *again);

/* Looks all that up again, if nothing has changed, and holds it in another list. */
int ga_plan_hold(ga_plan *plan, PyTypeObject *type, PyObject *held);

/* Whether everything but the channel's own attributes is what it was: all of it, or only the cells. */
int ga_plan_holds(const ga_plan *plan, PyTypeObject *type, int all);

int ga_plan_calls(const ga_plan *plan, PyObject *function);
int ga_plan_reads(const ga_plan *plan, PyObject *name); /* from the channel; an interned name */

/* Whether what the predicate reads from a channel with that dict changes only by a store, or in its length. The lengths are
 * put into `lengths`, *count of them. */
int ga_plan_settles(const ga_plan *plan, PyObject *dict, const Py_ssize_t *lengths[GA_MOST_LENGTHS], int *count);
