/* What mirror.c and interest.c share. All of it requires the GIL; nothing runs Python code but ga_bury. */
#ifndef GOASYNCORE_MIRROR_H
#define GOASYNCORE_MIRROR_H

#include "internal.h"

int ga_reserve(void *items, int32_t *size, int32_t need, size_t item); /* room for so many; 0, or -1 without an exception */

/* numbers.c: pointers to a number are good until the next one is made or dropped. */
ga_number *ga_number_at(const ga_mirror *m, int32_t fd); /* NULL for one of which nothing is known */
ga_number *ga_number_made(ga_mirror *m, int32_t fd);     /* found or made; NULL without an exception */
void ga_number_drop_unused(ga_mirror *m, int32_t fd);    /* forgets a number of which nothing is left to know */

void ga_mark(ga_mirror *m, ga_number *n); /* to be looked at again */
void ga_mark_channel(ga_channel *c);

/* lists.c: a channel can be in both. */
int ga_enter_own(ga_channel *c); /* to be asked in each pass; 0, or -1 without an exception */
void ga_leave_own(ga_channel *c);
void ga_close_holes(ga_mirror *m);                                    /* in mirror.own */
const Py_ssize_t *ga_length_of(PyObject *value);                      /* where a container of CPython's keeps it; NULL for anything else */
int ga_enter_sized(ga_channel *c, const Py_ssize_t *length, int any); /* 1, 0 if it has too many, -1 without an exception */
void ga_leave_sized(ga_channel *c);
void ga_look_at_sizes(ga_mirror *m); /* marks those of whom a length has changed */

/* settle.c: finds out what kind of channel it is, and what it waits for where no predicate has to be called in each pass.
 * Runs Python code: `c` may be gone after it. 0, or -1 with an exception set. */
int ga_channel_look_at(ga_channel *c);

int ga_report(ga_channel *c); /* interest.c: to the engine, what the channel waits for; 0, or -1 without an exception */
void ga_mirror_mark_all(ga_mirror *m);

int32_t ga_number_of(PyObject *key); /* that a key stands for, or -1 */
void ga_add_channel(ga_mirror *m, int32_t fd, PyObject *obj, uint64_t order);
void ga_remove_channel(ga_mirror *m, ga_number *n);
void ga_drop_dict(ga_channel *c);              /* watches it no longer */
void ga_bury(ga_mirror *m);                    /* drops the channels that left while the pass was asking */
void ga_mirror_look_at_suspects(ga_mirror *m); /* marks those whose class is another one by now */
/* mirror_life.c */
void ga_remove_all(ga_mirror *m);
void ga_forget_mirror(ga_mirror *m); /* its map is gone */
void ga_synchronise(ga_mirror *m);   /* makes the mirror equal to the map */

#endif
