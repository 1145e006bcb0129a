/* Asks a channel: calls its predicates. */
#pragma once

#include "mirror.h"

/* What the channel waits for by its predicates; -1 with an exception set. `c` may be gone after the first. Runs Python code. */
int ga_ask(ga_channel *c);

int ga_is_direct(const ga_channel *c); /* the class's functions can be called without looking them up */

/* The channel that now has the number of one that was asked, or NULL. `departures` is the mirror's of that time. */
ga_channel *ga_found_again(ga_mirror *m, ga_channel *c, int32_t fd, uint64_t departures);
