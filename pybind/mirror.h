/* The mirror of a map: its channels come and go, and are marked to be looked at again.
 *
 * The mirror marks; it does not decide what channels wait for. Functions run no Python code and touch no exception unless they
 * say so. */
#pragma once

#include "mirror_tables.h"

extern ga_mirror *ga_mirrors;
extern int ga_attended; /* how many of them have an attendant */

/* Found, or made at the first run over the map. NULL with an exception set; or without one if its end would not be noticed. */
ga_mirror *ga_mirror_of(PyObject *map);
void ga_mirror_end(ga_mirror *m);    /* its map is gone */
uintptr_t ga_mirror_abandoned(void); /* a handle that Go had for one whose map is gone, or 0 */

void ga_mark(ga_mirror *m, ga_number *n);
void ga_mark_channel(ga_channel *c);
void ga_mark_value(ga_channel *c);                     /* the same, if what the instance hides of its class has not changed */
void ga_mark_all(ga_mirror *m, const ga_class *class); /* its channels; NULL: all */

/* Something has changed: if the asyncio loop of this thread serves the map, it makes a pass. */
void ga_mirror_touch(ga_mirror *m);
void ga_mirrors_touch(void);

void ga_channel_add(ga_mirror *m, int32_t fd, PyObject *obj, uint64_t order);
void ga_channel_remove(ga_mirror *m, ga_number *n);
void ga_channel_remove_all(ga_mirror *m);
void ga_channel_unwatch(ga_channel *c);            /* its dict */
int ga_channel_is_waited_for(const ga_channel *c); /* it may have left the map and come back since */
void ga_removed_drop(ga_mirror *m);                /* those that left while the pass was asking. Runs Python code */
