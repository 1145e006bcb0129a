/* What a predicate depends on, as _predicates.py found it.
 *
 * A *plan* lists what the result of one class's readable() or writable() depends on. While nothing in it changes, the result
 * is the same, and the predicate need not be called. Functions run no Python code unless they say so. */
#pragma once

#include "cpython.h"

#define GA_MOST_LENGTHS 4 /* of containers, that decide what one channel waits for */

typedef struct ga_plan ga_plan;

extern uint64_t ga_plan_epoch; /* rises with each change of a function, and of a global that a plan depends on */

/* In a watched namespace; NULL stands for all its keys. Whether a plan may depend on it. */
int ga_plan_global_changed(PyDict_WatchEvent event, PyObject *key);

/* Looks up what the dependencies, as _predicates returns them, are for the class. `result` is what the predicate always
 * returns, or None. Sets *again if it must be repeated, because changes are seen only from now on. NULL with an exception set;
 * or without one if changes would not be seen. */
ga_plan *ga_plan_made(PyTypeObject *type, PyObject *dependencies, PyObject *result, int *again);

/* Whether everything but the channel's own attributes is what it was. */
int ga_plan_holds(const ga_plan *plan, PyTypeObject *type);

/* Whether something in it changes without being reported, so that it must be compared in each pass. */
int ga_plan_is_compared(const ga_plan *plan);
int ga_plan_still_holds(const ga_plan *plan); /* compares that */

int ga_plan_calls(const ga_plan *plan, PyObject *function);
int ga_plan_reads(const ga_plan *plan, PyObject *name); /* from the channel; an interned name */
int ga_plan_result(const ga_plan *plan);                /* 0 or 1 if it is always that, else -1 */

/* Whether what the predicate reads from a channel with that dict changes only by a store, or in its length. The lengths are
 * put into `lengths`, *count of them. */
int ga_plan_settles(const ga_plan *plan, PyObject *dict, const Py_ssize_t *lengths[GA_MOST_LENGTHS], int *count);

/* Everything that the plan holds, owned by the caller from now on; NULL if it was taken before. ga_plan_end frees the plan as
 * well; otherwise ga_plan_take_up makes it hold everything again, if nothing has changed: 0, or -1 without an exception. */
PyObject *ga_plan_end(ga_plan *plan);
PyObject *ga_plan_take(ga_plan *plan);
int ga_plan_take_up(ga_plan *plan, PyTypeObject *type);
