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

/* The two lists a channel can be in: those asked in each pass, and those whose queue's length decides. */
int ga_enter_own(ga_channel *c);                    /* 0, or -1 without an exception */
int ga_enter_sized(ga_channel *c, PyObject *queue); /* the same */
void ga_leave_lists(ga_channel *c);
void ga_close_holes(ga_mirror *m); /* in mirror.own */

void ga_drop_dict(ga_channel *c);              /* watches it no longer */
void ga_bury(ga_mirror *m);                    /* drops the channels that left while the pass was asking */
void ga_mirror_look_at_suspects(ga_mirror *m); /* marks those whose class is another one by now */
void ga_synchronise(ga_mirror *m);             /* makes the mirror equal to the map */

#endif
