/* What C and Go share: events, changes of interest, and what Go sees of a mirrored map. */
#pragma once

#include <stdint.h>

/* Laid out as poller.Ready and selector.Change are; source.go checks the sizes. */
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
    GA_HANDOVER, /* the remaining passes must be portable */
    GA_SETTLED,  /* the pass was made, and what the channels wait for stays registered; see doc.go */
    GA_RAISED    /* a Python exception is set in the thread */
};

/* Valid until the map is gone, which cannot happen during a run. */
typedef struct {
    int32_t busy;       /* a run is under way; set when it begins, cleared, atomically, as its last act */
    uintptr_t handle;   /* Go's, of what serves the map; 0: none yet */
    int status;         /* GA_RUNNING while a run is under way */
    int passes;         /* passes completed in this run */
    uint32_t relies;    /* twice the tick at which the last wait began that relied on alarm.h, and 1 during it; atomic */
    int32_t timed;      /* a call is scheduled: ga_due_in returns when; read by Go, atomically */
    ga_change *changes; /* what a run begins with, and what ga_step reports */
    int change_count;
    int descriptor; /* the poller's own, readable when a channel is ready; -1: it has none */
    int renewed;    /* rises when the descriptor is another file, perhaps under the same number */
    double again;   /* seconds after which a settled map needs another pass in any case; negative: never */
} ga_map;
