/* What the C files of the bridge share. All of it requires the GIL. */
#ifndef GOASYNCORE_INTERNAL_H
#define GOASYNCORE_INTERNAL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "bridge.h"

/* The attributes that decide what a channel waits for, and who is called when it is ready. */
enum {
    N_READABLE,
    N_WRITABLE,
    N_ACCEPTING, /* from here on what has to be a plain attribute */
    N_CONNECTED,
    N_OUT_BUFFER,
    N_PRODUCER_FIFO, /* up to here */
    N_HANDLE_READ_EVENT,
    N_HANDLE_WRITE_EVENT,
    N_HANDLE_READ,
    N_HANDLE_WRITE,
    N_COUNT
};

/* What decides what a predicate of a class returns, as _predicates.rules_of tells. */
typedef enum {
    RULE_ASK,    /* only calling it can tell */
    RULE_YES,    /* it is ours, and always true */
    RULE_SENDER, /* dispatcher_with_send's writable */
    RULE_CHAT,   /* async_chat's */
    RULE_PLAN    /* it returns the same until something of its plan changes */
} ga_rule;

typedef struct ga_plan ga_plan; /* what a predicate depends on; see plan.h */

/* What is known of one class while a mirrored channel is an instance of it. Of a few classes that lost their last channel
 * it is kept for the next one, without holding on to anything. */
typedef struct ga_class {
    struct ga_class *next;       /* in its bucket */
    struct ga_class *next_stale; /* those to look at again */
    struct ga_class *next_spare; /* those that have lost their last channel */
    PyTypeObject *type;          /* owned while it has channels */
    PyObject *seen[N_COUNT];     /* owned, as `type`: what the class had for each of ga_names, NULL for nothing */
    getattrofunc getattro;
    Py_ssize_t users;
    unsigned version; /* of the type, when it lost its last channel; 0: it has to be looked at again in any case */
    uint64_t epoch;   /* ga_plan_epoch of that time */
    struct ga_class *next_compared, **compared_at; /* those with plans that have to be compared in each pass */
    ga_rule rules[2];                              /* of readable and writable */
    ga_plan *plans[2];                             /* where the rule is RULE_PLAN */
    uint8_t held;                                  /* what is owned is */
    uint8_t watched;                               /* the type is: what is known of it is right unless it is stale */
    uint8_t stale;                                 /* it stands in that list */
    uint8_t renewed;                               /* what its functions do has changed, though they are the same ones */
    uint8_t spare;                                 /* it stands in that list */
    uint8_t direct;                                /* its predicates are functions that can be called without looking them up */
    uint8_t direct_read;                           /* its handle_read_event is ours, so handle_read can be called when connected */
    uint8_t direct_write;                          /* the same of writing */
} ga_class;

#define GA_MOST_SIZED 4 /* containers whose lengths decide what one channel waits for */

typedef struct ga_channel {
    struct ga_mirror *mirror;
    PyObject *obj;  /* borrowed from the map */
    PyObject *dict; /* its instance dict while that is watched; borrowed, or NULL */
    ga_class *class;
    uint64_t order;
    int32_t fd;
    int32_t slot;                 /* its place in mirror.own, -1: it is not in there */
    int32_t sized[GA_MOST_SIZED]; /* its places in mirror.sized, as many as sized_count */
    uint8_t sized_count;
    uint8_t settled;  /* bits, of N_READABLE and N_WRITABLE: need not be called */
    uint8_t answers;  /* bits, of those */
    uint8_t changed;  /* look at it again, it stands in mirror.dirty */
    uint8_t bare;     /* nothing on the instance hides the class's handlers */
    uint8_t direct;   /* the predicates are the class's functions */
    uint8_t own;      /* it is in mirror.own: Python is asked in each pass */
    uint8_t reported; /* the engine knows of it */
    uint8_t renewed;  /* but perhaps not of its socket: another open file under the number */
    uint8_t unseen;   /* while comparing with the map */
    uint8_t want;     /* Read and Write, as last evaluated */
    uint8_t told;     /* and as last reported */
    uint8_t removed;  /* taken out of the map while the pass was asking: `obj` is owned */
    uint8_t suspect;  /* it stands in mirror.suspects */
    uint8_t odd;      /* a key of its dict is perhaps no name: looking into that would run code */
} ga_channel;

/* Numbers whose channel is to be looked at again. `stamp` is the order of the channel that was being
 * asked when the change came, 0 for none: who stood before it in the map has been asked already. */
typedef struct {
    int32_t fd;
    uint64_t stamp;
} ga_dirty;

/* A channel that was about to get another class when we heard of it, and had not got it when last looked at. */
typedef struct {
    int32_t fd;
    uint64_t order;
} ga_suspect;

/* A container whose length decides. Both pointers are borrowed: the entry goes when the channel is marked. */
typedef struct {
    const Py_ssize_t *length;
    Py_ssize_t seen;
    ga_channel *channel;
    uint8_t any; /* what counts is whether it is 0 */
} ga_sized;

/* What is known of a number, whether or not a channel stands under it. */
typedef struct {
    ga_channel *channel; /* or NULL */
    const void *told_of; /* whose the interest is that the engine was told last; for comparing alone */
    int32_t fd;          /* -1: the place is free */
    uint8_t told;        /* what the engine was told last; TOLD_UNKNOWN: perhaps */
    uint8_t queued;      /* it stands in `dirty` */
} ga_number;

/* What tells open files apart. */
typedef struct {
    uint64_t device, inode;
} ga_identity;

typedef struct ga_mirror {
    ga_map go; /* first: Go's pointer is also ours */
    struct ga_mirror *next;
    PyObject *map;      /* borrowed: the DEALLOCATED event ends the mirror */
    PyObject *names;    /* the namespace of the asyncore in whose name the run is; borrowed from the run */
    ga_number *numbers; /* see numbers.c */
    int32_t number_size, number_count;
    Py_ssize_t count;   /* channels */
    Py_ssize_t wanting; /* numbers the engine was told to wait for */
    uint64_t next_order;
    ga_channel **own; /* in map order, with holes */
    int32_t own_count, own_size, own_holes;
    ga_sized *sized; /* in no order */
    int32_t sized_count, sized_size;
    int32_t lengths; /* of the sized, those of which more than being empty counts */
    ga_dirty *dirty;
    int32_t dirty_count, dirty_size;
    ga_suspect *suspects;
    int32_t suspect_count, suspect_size;
    int32_t change_size;
    ga_channel **gone; /* removed while the pass was asking */
    int32_t gone_count, gone_size;
    uint64_t departures; /* rises where a pointer to a channel may be good no more */
    uint64_t asking;     /* order of the channel being asked, 0: none */
    double audited;
    double due;              /* when something scheduled is to be called, by ga_now(); infinite: nothing is. Read by Go, atomically */
    unsigned long attendant; /* the thread of the asyncio loop that serves the map; 0: none does */
    struct {
        uint64_t passes, events, asked, changes, wakes;
    } stats;
    ga_identity wake_ids[2];
    int wake_fds[2]; /* the waker's: from here it is read, to here it is written; -1: none yet */
    int programs_fd; /* while it listens: what the program gave signal.set_wakeup_fd(), or -1 */
    uint8_t number_shift;
    uint8_t use_poll, forever, settle;
    uint8_t rests;     /* the run's timeout is not 0 */
    uint8_t listening; /* the waker hears of signals */
    uint8_t settled;   /* the attendant waits for the poller's descriptor: a change in its thread shows there */
    uint8_t waiting;   /* a run waits */
    uint8_t woken;     /* and was woken */
    uint8_t resync;    /* the mirror may be wrong: compare it with the map */
    uint8_t foreign;   /* a key is no descriptor's number */
    uint8_t traced;    /* somebody counts calls: no predicate of the program's is settled */
} ga_mirror;

#define TOLD_UNKNOWN 0xff
#define LARGEST_FD (1 << 22)

/* bridge.c: interned names, and what _native.py handed over. */
extern PyObject *ga_names[N_COUNT], *ga_name_socket;
extern struct ga_tools {
    PyObject *rules_of;        /* class -> (ga_rule, ga_rule) */
    PyObject *aftermath;       /* (channel, what raises) -> stand-in for read() and readwrite() */
    PyObject *intact;          /* namespace -> whether the pass functions in it are ours */
    PyObject *run_due;         /* map -> None: calls what was put off until now */
    PyObject *watch;           /* (channel, name) -> None: calls that method and reports when it was slow; NULL: nobody asked */
    PyObject *sender_initiate; /* dispatcher_with_send.initiate_send */
    PyObject *handle_read_event, *handle_write_event; /* dispatcher's */
    PyTypeObject *deque;
    PyObject *backlog; /* the bytearray of dispatcher_with_send */
} ga_tools;

/* bridge.c: for a thread that came from Python and gave the GIL back; PyEval_SaveThread() gives it
 * back again. Other than PyGILState_Ensure() it is safe in an interpreter that is ending: then it
 * does not return. */
void ga_take_gil(void);

double ga_now(void); /* time.monotonic() */

/* fork.c */
int ga_fork_setup(PyObject *module);  /* 0, or -1 with an exception set */
int ga_may_call_go(void);             /* greenlets leave runs in another order than they entered them, which Go's frames do not bear */
PyObject *ga_call_go(PyObject *args); /* as pybind_Run; the child of a fork in a handler returns from it too */
void ga_return_to_go(ga_mirror *m);   /* gives the GIL back; in a forked child leaves the run, with the GIL */

/* bridge.c: a run. What it ends stays ended: go.status says how, and go.passes how many passes were made. */
/* Begins one and collects, if it is GA_RUNNING then. NULL: passes must be portable, or an exception is set. */
ga_mirror *ga_begin(PyObject *map, PyObject *names, int use_poll, int wait, int settle);
void ga_give_up(ga_mirror *m); /* ends it before the engine has heard what was collected; with an exception set */
void ga_tell(ga_mirror *m, const ga_ready *ready, int count, int collecting); /* as ga_step, without Go around it */

/* run.c */
int ga_run_setup(PyObject *module); /* 0, or -1 with an exception set */

/* guest.c */
void ga_guest_setup(void);
void ga_guest_forked(void); /* the child of a fork */

/* ending.c */
extern int ga_ended;                   /* the interpreter ends: nothing is mirrored any more */
int ga_ending_setup(PyObject *module); /* 0, or -1 with an exception set */

/* watch.c */
typedef enum { WATCH_MAP, WATCH_CHANNEL, WATCH_NAMESPACE, WATCH_GLOBALS, WATCH_PROBE } ga_watch_kind;
extern int ga_trusted;              /* what passed its test: 0 nothing, 1 watching maps, 2 watching all */
extern int ga_forked;               /* this process is a fork: nothing is mirrored any more */
extern uint64_t ga_namespace_epoch; /* rises with each change of a watched namespace */
extern uint64_t ga_plan_epoch;      /* rises with each change of a function, and of a global that a plan depends on */
int ga_watch_setup(void);           /* 0, or -1 with an exception set */
int ga_watch(PyObject *dict, ga_watch_kind kind, void *owner); /* 0, or -1 without an exception */
void ga_unwatch(PyObject *dict);                               /* no exception, no Python code */
void *ga_watched(PyObject *dict, ga_watch_kind kind);          /* its owner, or NULL */
int ga_watch_global(PyObject *name); /* its changes, in watched globals, count from now on; whether they did before */
int ga_is_watched(PyObject *dict);
int ga_watch_class(PyTypeObject *type); /* 0, or -1 without an exception */
void ga_unwatch_class(PyTypeObject *type);

/* instance_dict.c */
int ga_only_names(PyObject *dict);           /* whether looking a name up in it runs no Python code */
PyObject *ga_watchable_dict(PyObject *obj);  /* owned reference; NULL without an exception if there is none */
void ga_watch_replacing(PyTypeObject *type); /* learns from an ordinary class how instance dicts are replaced */
int ga_replacing_shows(PyTypeObject *type);  /* whether that shows, from now on, for the class's instances */

/* mirror.c: none of these runs Python code or touches the exception, unless it says so. */
extern ga_mirror *ga_mirrors;
ga_mirror *ga_mirror_of(PyObject *map);                    /* found or made; NULL with an exception set */
ga_channel *ga_channel_at(const ga_mirror *m, int32_t fd); /* NULL if none stands under the number */
int ga_waited_for(const ga_channel *c);                    /* whether the wait is for it: it may have left the map and come back since */
void ga_mirror_event(ga_mirror *m, PyDict_WatchEvent event, PyObject *key, PyObject *value);
void ga_mirror_channel_event(ga_channel *c, PyDict_WatchEvent event, PyObject *key);
void ga_mirror_retell_all(ga_mirror *m);
void ga_mirror_retell_changes(ga_mirror *m);
int ga_mirror_truth(ga_channel *c, int name); /* of an attribute in its watched dict; -1: only Python can tell */
void ga_mirror_settle(ga_mirror *m);          /* with the map, where its watcher could not say what changed */
int ga_mirror_collect(ga_mirror *m);          /* runs Python code; 0, or -1 with an exception set */
void ga_mirror_touch(ga_mirror *m);           /* something has changed: brings a pass where an asyncio loop of this thread serves */
void ga_mirrors_touch(void);                  /* of all of them */
extern int ga_attended;                       /* how many mirrors have an attendant */
void ga_mirror_class_assigned(PyObject *obj); /* or about to be */
void ga_mirror_dict_replaced(PyObject *dict);
void ga_mirror_class_changed(ga_class *class); /* look at all its channels again */

/* classes.c */
ga_class *ga_class_of(PyTypeObject *type);         /* runs Python code; owned use; NULL with an exception set */
void ga_class_release(ga_class *c);                /* runs no Python code */
int ga_class_known(PyTypeObject *type);            /* whether a channel is an instance of it; runs no Python code */
void ga_class_changed(PyTypeObject *type);         /* look at it again, if it is known; runs no Python code */
void ga_function_changed(PyObject *function);      /* the same of classes with that predicate */
int ga_classes_refresh(void);                      /* runs Python code: looks at the stale ones; 0, or -1 with an exception set */
void ga_classes_drop_unused(void);                 /* may run Python code */
void ga_classes_end(void);                         /* may run Python code: holds on to none of them any more */
PyObject *ga_class_default(ga_class *c, int name); /* borrowed; NULL: the class has none */

/* own.c */
int ga_own_setup(void); /* 0, or -1 with an exception set */
void ga_own_hold(ga_mirror *m, int poller, int read_end, int write_end);
void ga_own_end_wait(ga_mirror *m);    /* makes the poller's descriptor readable, and so ends a wait */
void ga_own_close(ga_mirror *m);       /* async-signal-safe */
int ga_listen_and_check(ga_mirror *m); /* before a wait; runs signal handlers; 0, or -1 with an exception set */
void ga_unlisten(ga_mirror *m);        /* after it; async-signal-safe */

/* wakeup_fd.c: for the main thread, with the GIL */
int ga_set_wakeup_fd(int fd);   /* returns the one before; async-signal-safe */
int ga_wakeup_fd_works(int fd); /* fd is for a trial; no exception */

/* tracing.c */
int ga_tracing_setup(void);      /* 0, or -1 with an exception set */
void ga_tracing_may_begin(void); /* somebody has registered for sys.monitoring; runs no Python code */
int ga_is_traced(void);          /* whether calls in this thread are counted by somebody; may run Python code */

/* services.c */
int ga_services_setup(PyObject *module); /* 0, or -1 with an exception set */
int ga_call_due(ga_mirror *m);           /* runs Python code; 0, or -1 with an exception set */

/* methods.c */
void ga_pass_through(PyObject *function); /* an exception is set: its traceback gets the frame of that function, unless it begins with it */
int ga_methods_setup(PyObject *tools);    /* 0, or -1 with an exception set */
void ga_methods_end(void);                /* the functions are called as before */

#endif
