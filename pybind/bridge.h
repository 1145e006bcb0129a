/* The CPython side of the boundary: what stands between the engine and a dict of channels.
 *
 * Rules. A function says in its comment whether it requires the GIL (the caller holds it), takes it
 * (the caller must not care), or must not be called with an exception set. PyObject pointers are
 * borrowed unless it says otherwise. Everything here runs in the main interpreter.
 */
#ifndef GOASYNCORE_BRIDGE_H
#define GOASYNCORE_BRIDGE_H

#include <stdint.h>

/* The same layout as poller.Ready and selector.Change; source.go checks the sizes. */
typedef struct {
    int32_t fd;
    uint32_t events;
} ga_ready;

typedef struct {
    int32_t fd;
    uint32_t want;
    uint64_t order;
} ga_change;

/* poll(2)'s bits, as poller.Events. */
enum { GA_READ = 0x1, GA_PRIORITY = 0x2, GA_WRITE = 0x4, GA_ERROR = 0x8, GA_HANGUP = 0x10, GA_INVALID = 0x20 };

/* How a run over a map ended; ga_map.status. */
enum {
    GA_RUNNING,
    GA_FINISHED, /* the map is empty, or all passes were made */
    GA_HANDOVER, /* the passes that are left must be portable ones */
    GA_SETTLED,  /* the pass was made, and what the channels wait for stays registered */
    GA_RAISED    /* a Python exception is set in the thread */
};

/* What Go sees of a mirrored map. Valid until the map is gone, which cannot be during a run. */
typedef struct {
    int32_t busy;       /* a run is under way; set when it begins, cleared, atomically, as its last act */
    long handle;        /* Go's number for what serves the map; 0: none yet */
    int status;         /* GA_RUNNING while a run is under way */
    int passes;         /* passes completed in this run */
    int32_t timed;      /* something is to be called some day: ga_due_in says when; read by Go, atomically */
    int poller_fd;      /* the poller's epoll set or kqueue; -1: it has none */
    ga_change *changes; /* what a run begins with, and what ga_step reports */
    int change_count;
    int descriptor; /* the poller's own, readable when a channel is ready; -1: it has none */
    double again;   /* seconds after which a settled map needs another pass, whatever the descriptor says; below 0: never */
} ga_map;

/* guest.c: how many threads of Python's have called Go and are still there; read and written atomically. */
extern int32_t ga_threads;

/* Takes the GIL. `tools` is a tuple, see _native.py. Returns 0, or -1 with an exception set. */
int ga_setup(intptr_t tools);

/* Takes the GIL. As ga_setup, for asynchat, which may be imported later. */
int ga_chat_methods(intptr_t tools);

/* Needs no GIL. The map at that address: Go may not make a pointer of a number. */
static inline ga_map *ga_at(intptr_t address)
{
    return (ga_map *)address;
}

/* Needs no GIL. In how many seconds something scheduled is due; below 0: nothing is. */
double ga_due_in(ga_map *m);

/* Takes the GIL. Whether the channel under fd, of that order, is still the one of which the engine was told last. */
int ga_holds(ga_map *m, int fd, uint64_t order);

/* Takes the GIL. In a run, before a wait: the poller's descriptors are these from now on. They are closed in a forked
 * child and with the map. Ends the run if a signal handler raises. */
void ga_own(ga_map *m, int poller, int read_end, int write_end);

/* Needs no GIL, in the run's thread. Numbers of signals, which came during the wait, go where the program has had CPython
 * write them. */
void ga_pass_signals_on(ga_map *m, const void *numbers, int count);

/* Takes the GIL. Tells the channels in `ready` what happened and, at the end of a pass, calls what was put
 * off until now; then, if `collect`, collects what has changed in what the channels wait for. Ends the run
 * unless status stays GA_RUNNING. */
void ga_step(ga_map *m, const ga_ready *ready, int count, int collect);

/* Takes the GIL. Runs Python's signal handlers after an EINTR; as ga_step, ends the run when one raises. */
void ga_interrupted(ga_map *m);

/* Takes the GIL. Ends the run with OSError(error). */
void ga_fail(ga_map *m, int error);

/* Takes the GIL. Ends the run with RuntimeError(text), also when m is NULL. */
void ga_panic(ga_map *m, const char *text);

/* Takes the GIL. Ends the run: portable passes go on. */
void ga_hand_over(ga_map *m);

/* Takes the GIL. Ends a run that was to settle, after its last collection: from now on a change in this thread makes
 * the poller's descriptor readable. */
void ga_settle(ga_map *m);

/* The handles of maps that are gone since the last call, their descriptors closed: the next one, or 0.
 * Takes the GIL. */
long ga_next_abandoned(void);

/* Takes the GIL. Watches the instance dict of the object at that address, as a channel's, and counts what the watcher
 * sees of it; 0, or -1 without an exception. ga_probe_count tells the count and resets it. ga_trust says what passed:
 * 0 nothing, 1 watching maps, 2 watching channels and classes too. */
int ga_probe(intptr_t object);
int ga_probe_count(void);
void ga_trust(int trusted);

#endif
