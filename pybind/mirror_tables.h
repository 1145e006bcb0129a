/* The tables of a mirror: numbers, channels to ask in each pass, and lengths to compare.
 *
 * A *mirror* holds what is known of a map, so that a pass need not look at channels that nothing has happened to. Functions run
 * no Python code. */
#pragma once

#include "classes.h"
#include "engine.h"
#include "waker.h"

typedef struct ga_channel {
    struct ga_mirror *mirror;
    PyObject *obj;  /* borrowed from the map */
    PyObject *dict; /* its instance dict while that is watched; borrowed, or NULL */
    ga_class *class;
    uint64_t order; /* rises in map order */
    int32_t fd;
    int32_t slot;                     /* its place in mirror.asked, -1: it is not in there */
    int32_t lengths[GA_MOST_LENGTHS]; /* its places in mirror.lengths */
    uint8_t length_count;
    uint8_t settled;  /* bits, of N_readable and N_writable: the result is known, it need not be called */
    uint8_t settling; /* bits: the next call settles it */
    uint8_t results;  /* bits, of those that are settled */
    uint8_t changed;  /* it must be looked at again, and is marked */
    uint8_t bare;     /* nothing on the instance hides the class's handlers */
    uint8_t plain;    /* or its predicates */
    uint8_t hiding;   /* these two are to be found out again */
    uint8_t direct;   /* the predicates are the class's functions */
    uint8_t asked;    /* it is in mirror.asked */
    uint8_t fresh;    /* and was not asked since it came there */
    uint8_t known;    /* to the engine */
    uint8_t renewed;  /* but perhaps not its socket: the number may stand for another open file */
    uint8_t unseen;   /* while the mirror is compared with the map */
    uint8_t want;     /* its interest, GA_READ and GA_WRITE, as last found out */
    uint8_t reported; /* and as last reported to the engine */
    uint8_t removed;  /* it left the map while the pass was asking: `obj` is owned */
    uint8_t suspect;  /* it is in mirror.suspects */
    uint8_t odd;      /* a key of its dict may not be a name: looking into the dict would run code */
} ga_channel;

/* What is known of a number, whether or not it has a channel. */
typedef struct {
    ga_channel *channel;     /* or NULL */
    const void *reported_of; /* the object whose interest was last reported; only compared */
    int32_t fd;              /* -1: the place is free */
    uint8_t reported;        /* the interest that was last reported to the engine; REPORTED_UNKNOWN: perhaps */
    uint8_t marked;          /* it is in mirror.marked */
    uint8_t left;            /* its channel left the map while the pass was asking */
} ga_number;

#define REPORTED_UNKNOWN 0xff

/* A number to look at again. `stamp` is the order of the channel that was being asked when the change came, 0 for none: those
 * before it in the map have been asked already. */
typedef struct {
    int32_t fd;
    uint64_t stamp;
    uint64_t order; /* of its channel when it was marked, 0: it had none */
} ga_marked;

/* A container whose length decides. Both pointers are borrowed: the entry goes when the channel is marked. */
typedef struct {
    const Py_ssize_t *length;
    Py_ssize_t seen;
    ga_channel *channel;
    uint8_t any; /* only whether it is 0 matters */
} ga_length;

/* A channel that was about to get another class, and had not got it when last looked at. */
typedef struct {
    int32_t fd;
    uint64_t order;
} ga_suspect;

typedef struct ga_mirror {
    ga_map go; /* first: Go's pointer is also ours */
    struct ga_mirror *next;
    PyObject *map;       /* borrowed: the DEALLOCATED event ends the mirror */
    PyObject *namespace; /* of the asyncore module that the run is for; borrowed from the run */
    ga_number *numbers;  /* a hash table, because numbers can be few and large */
    int32_t number_size, number_count;
    Py_ssize_t count;   /* channels */
    Py_ssize_t wanting; /* numbers that the engine waits for */
    uint64_t next_order;
    ga_channel **asked; /* the channels to ask in each pass, in map order, with holes */
    int32_t asked_count, asked_size, asked_holes;
    ga_length *lengths; /* in no order */
    int32_t length_count, length_size;
    int32_t unseen;        /* channels that were asked since the lengths were compared */
    uint64_t unseen_from;  /* the order of the first of them */
    int32_t exact_lengths; /* of these, those of which more than being empty matters */
    ga_marked *marked;
    int32_t marked_count, marked_size;
    ga_suspect *suspects;
    int32_t suspect_count, suspect_size;
    int32_t change_size;
    ga_channel **removed; /* while the pass was asking */
    int32_t removed_count, removed_size;
    uint64_t departures;     /* rises when a pointer to a channel may have become invalid */
    uint64_t asking;         /* the order of the channel being asked, 0: none */
    double due;              /* when a scheduled call is due, by ga_now(); infinite: none is scheduled. Read by Go, atomically */
    unsigned long attendant; /* the thread of the asyncio loop that serves the map; 0: none does */
    struct {
        uint64_t passes, events, asked, changes, wakes;
    } stats;
    ga_waker waker;
    uint8_t number_shift;
    uint8_t use_poll, settle; /* the run's; see doc.go */
    uint8_t forever, rests;   /* the run's timeout is infinite; is not 0 */
    uint8_t settled;          /* the attendant waits for the poller's descriptor: a change in its thread must show there */
    uint8_t waiting;          /* a run waits */
    uint8_t woken;            /* and was woken */
    uint8_t resync;           /* the mirror may be wrong: compare it with the map */
    uint8_t foreign;          /* a key is not a descriptor's number */
    uint8_t traced;           /* a tool sees calls: the Python functions are called, and no predicate is settled */
} ga_mirror;

/* Pointers to a number are valid until the next one is made or dropped. */
ga_number *ga_number_at(const ga_mirror *m, int32_t fd);   /* NULL if nothing is known of it */
ga_number *ga_number_made(ga_mirror *m, int32_t fd);       /* found or made; NULL without an exception */
void ga_number_drop_unused(ga_mirror *m, int32_t fd);      /* if nothing of it is left to know */
ga_channel *ga_channel_at(const ga_mirror *m, int32_t fd); /* NULL if the number has none */

/* Adds the interest in a number to go.changes. 0, or -1 without an exception. */
int ga_number_report(ga_mirror *m, ga_number *n, uint8_t want, uint64_t order);

int ga_asked_enter(ga_channel *c); /* 0, or -1 without an exception */
void ga_asked_leave(ga_channel *c);
void ga_asked_load_early(const ga_mirror *m, int32_t at); /* into the cache: those after this place */
void ga_asked_close_holes(ga_mirror *m);

int ga_length_enter(ga_channel *c, const Py_ssize_t *length, int any); /* 1, 0 if it has too many, -1 without an exception */
void ga_length_leave(ga_channel *c);                                   /* all of the channel's */
