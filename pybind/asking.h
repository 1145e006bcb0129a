/* Asks a channel: calls its predicates. */
#pragma once

#include "mirror.h"

/* What the channel waits for by its predicates; -1 with an exception set. `c` may be gone after the first. Runs Python code. */
int ga_ask(ga_channel *c);

/* These two are here, because a call of each for 9,900 channels would be 3 % of a pass. */

/* Whether the class's functions can be called without looking them up: 9,900 calls take 1,080 us then, else 1,830. */
static inline int ga_is_direct(const ga_channel *c)
{
    return c->direct && !c->changed && c->class->direct && !c->class->stale && c->class->type == Py_TYPE(c->obj);
}

/* The channel that now has the number of one that was asked, or NULL. `departures` is the mirror's of that time. */
static inline ga_channel *ga_found_again(ga_mirror *m, ga_channel *c, int32_t fd, uint64_t departures)
{
    return m->departures == departures && !c->removed ? c : ga_channel_at(m, fd);
}
