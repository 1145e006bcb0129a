/* Predicates whose results stay the same until something changes. Ours are evaluated; those with a plan are called once.
 *
 * Such a predicate is *settled*: a pass need not call it, because a watcher reports what would change its result, or a length
 * that is compared shows it. */
#pragma once

#include "mirror.h"

/* Finds out what the channel is and which of its predicates are settled. 1 if both are: then c->want is what it waits for.
 * 0 if it must be asked, or is gone. Runs Python code. */
int ga_predicates_look_at(ga_channel *c);

/* What calling a predicate returned that is settled until something changes. */
void ga_predicate_settled(ga_channel *c, int name, int is);
int ga_predicates_settled(ga_channel *c); /* both, and what else decides: it need not be asked */

/* The truth of an attribute of a channel with a watched dict: 0, 1, or -1 if only Python code can find it out. */
int ga_attribute_truth(ga_channel *c, int name);
