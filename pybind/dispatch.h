/* Tells channels what happened to them. */
#pragma once

#include "mirror.h"

/* In select's or poll's meaning and in map order. What a handler raises goes to asyncore's own functions, which decide what it
 * means. -1 if they raise. Runs Python code. */
int ga_dispatch(ga_mirror *m, const ga_ready *ready, int count);
