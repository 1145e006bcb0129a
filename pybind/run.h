/* The passes of a run: how it begins, what Go calls during it, and how it ends.
 *
 * What ends a run sets go.status; go.passes is how many passes were made. */
#pragma once

#include "mirror.h"

int ga_run_setup(void);
void ga_run_namespace_changed(void); /* one that a pass depends on; runs no Python code */

/* Begins a run and collects, unless that ends it. `wait` is 0 for a timeout of 0, 2 for an infinite one, else 1. NULL if passes
 * must be portable, or with an exception set. Runs Python code. */
ga_mirror *ga_run_begin(PyObject *map, PyObject *namespace, int use_poll, int wait, int settle);

/* Tells the channels in `ready` what happened, makes the scheduled calls that are due, and, if `collect`, collects what has
 * changed in what the channels wait for. The run ends unless go.status is still GA_RUNNING. Runs Python code. */
void ga_run_step(ga_mirror *m, const ga_ready *ready, int count, int collect);

/* Ends a run before the engine gets what was collected; an exception is set. */
void ga_run_give_up(ga_mirror *m);

/* When run_due is to be called next, by ga_now(); infinite: not at all. Runs no Python code. */
void ga_run_set_due(ga_mirror *m, double when);

/* -- what Go calls: each takes the GIL unless it says otherwise, and runs Python code if it ends a run ------------ */

/* Needs no GIL. The map at that address: Go may not make a pointer of a number. */
static inline ga_map *ga_at(intptr_t address)
{
    return (ga_map *)address;
}

/* Needs no GIL. In how many seconds a scheduled call is due; negative: none is scheduled. */
double ga_due_in(ga_map *go);

/* Needs no GIL, in the run's thread. Passes the numbers of signals that came during the wait on, as CPython would have. */
void ga_pass_signals_on(ga_map *go, const void *numbers, int count);

/* Needs no GIL. ga_alarm_begin, for that map. */
int ga_begin_alarm(ga_map *go);

/* Before a wait: from now on the poller has these descriptors, which are closed in a forked child and with the map. */
void ga_opened(ga_map *go, int poller, int read_end, int write_end);

void ga_step(ga_map *go, const ga_ready *ready, int count, int collect); /* ga_run_step */
void ga_interrupted(ga_map *go); /* after an EINTR: runs the handlers of signals, and ends the run if one raises */

/* Whether the channel under that number, of that order, is still the one whose interest was last reported. */
int ga_holds(ga_map *go, int fd, uint64_t order);

/* These end the run. */
void ga_fail(ga_map *go, int error);         /* with OSError(error) */
void ga_panic(ga_map *go, const char *text); /* with RuntimeError(text); `go` may be NULL */
void ga_hand_over(ga_map *go);               /* portable passes follow */
void ga_settle(ga_map *go);                  /* the map is settled */

/* The handle of a map that is gone, its descriptors closed; a different one each time, then 0. */
uintptr_t ga_next_abandoned(void);
