/* What a predicate depends on, so that it need not be called while that is the same. _predicates.py finds it out; here it
 * is compared, and looked up for a channel. Requires the GIL. No function runs Python code unless it says so. */
#ifndef GOASYNCORE_PLAN_H
#define GOASYNCORE_PLAN_H

#include "mirror.h"

/* Looks up anew what a class's plan of these dependencies, as _predicates tells them, depends on. `answer` is what the
 * predicate always returns, or None. In *again whether that has to be repeated: changes are seen only from now on. NULL
 * with an exception set; or without one where they would not be seen at all. */
ga_plan *ga_plan_made(PyTypeObject *type, PyObject *dependencies, PyObject *answer, int *again);

/* Whether all but the channel's own attributes is what it was. */
int ga_plan_holds(const ga_plan *plan, PyTypeObject *type);

/* Whether something of it changes without telling, so that it has to be compared in each pass. */
int ga_plan_is_compared(const ga_plan *plan);
int ga_plan_still_holds(const ga_plan *plan); /* that, compared */

int ga_plan_calls(const ga_plan *plan, PyObject *function);
int ga_plan_reads(const ga_plan *plan, PyObject *name); /* of the channel; an interned name */
int ga_plan_answer(const ga_plan *plan);                /* 0 or 1 where it is always that, else -1 */

/* Whether what the predicate would read of the channel changes with a store or in its length alone, which is noted in
 * mirror.sized. -1 without an exception where there is no memory. */
int ga_plan_settles(const ga_plan *plan, ga_channel *c);

/* All that the plan holds on to, owned by the caller from now on; NULL if it was taken before. With ga_plan_end the plan
 * goes, too. Else it can be taken up again where nothing has changed: 0, or -1 without an exception. */
PyObject *ga_plan_end(ga_plan *plan);
PyObject *ga_plan_take(ga_plan *plan);
int ga_plan_take_up(ga_plan *plan, PyTypeObject *type);

#endif
