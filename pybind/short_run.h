/* Short runs: the ready ones of few channels, found with one poll(2) without entering Go. */
#pragma once

#include "mirror.h"

#define GA_FEW 32 /* numbers of which a look at all costs less than entering Go */

/* For the only pass of a run that has begun. How many are in `ready`, in map order; -1 if the engine must make the pass: there
 * are many numbers, changes to register, or a closed number; or nothing is ready and the pass may wait. */
int ga_short_run(ga_mirror *m, ga_ready ready[GA_FEW]);
