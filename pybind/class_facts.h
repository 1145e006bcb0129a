/* What is known of one class of channels.
 *
 * CPython's watcher makes a class *stale*; it is looked at again before it is used. What no watcher reports is compared in each
 * pass. Functions run no Python code unless they say so. */
#pragma once

#include "plan.h"

/* What decides the result of a predicate, as _predicates.rules_of returns it. */
typedef enum {
    RULE_ASK,    /* only a call finds it out */
    RULE_YES,    /* it is ours, and always true */
    RULE_SENDER, /* dispatcher_with_send's writable */
    RULE_CHAT,   /* async_chat's */
    RULE_PLAN    /* it is the same until something of its plan changes */
} ga_rule;

typedef struct ga_class {
    PyTypeObject *type;             /* first: the classes are found by it */
    struct ga_class *next, *before; /* of all classes */
    struct ga_class *next_stale;    /* those to look at again */
    struct ga_class *next_spare;    /* those that have lost their last channel */
    PyObject *held;                 /* a list of what is borrowed here, while the class has channels; owned */
    PyObject *seen[N_DECIDING];     /* what the class had for each of ga_names, NULL if it had none */
    getattrofunc getattro;
    Py_ssize_t users;
    unsigned version;      /* of the type, when it lost its last channel; 0: it must be looked at again in any case */
    uint64_t epoch;        /* ga_plan_epoch of that time */
    ga_rule rules[2];      /* of readable and writable */
    ga_plan *plans[2];     /* if the rule is RULE_PLAN */
    uint8_t watched;       /* the type is: what is known of it is right unless it is stale */
    uint8_t stale;         /* it is in that list */
    uint8_t renewed;       /* its functions do something else, though they are the same objects */
    uint8_t spare;         /* it is in that list */
    uint8_t direct;        /* its predicates are functions that can be called without looking them up */
    uint8_t direct_read;   /* its handle_read_event is ours, so handle_read can be called if connected */
    uint8_t direct_accept; /* and handle_accept if accepting */
    uint8_t direct_write;  /* the same for writing */
} ga_class;

/* `changed` is called before what is known of a class changes, because channels may have borrowed from that. */
void ga_class_facts_setup(void (*changed)(ga_class *));

void ga_class_make_stale(ga_class *c);
void ga_class_renew(ga_class *c); /* makes it stale, and known anew whatever it is found to have */
void ga_class_unstale(ga_class *c);
ga_class *ga_class_next_stale(void); /* taken from the list, or NULL */

/* Looks up what the class has for each name, which gives the type a version, without which its watcher is silent. Returns a list
 * that holds all that, and the type; NULL with an exception set. */
PyObject *ga_class_lookup(PyTypeObject *type, PyObject *seen[N_DECIDING]);

/* Looks at a class that is watched and not stale. If that fails, or the class changes meanwhile, it is stale afterwards and
 * nothing is known of it. Runs Python code. */
int ga_class_look_at(ga_class *c);

void ga_class_know_nothing(ga_class *c);
int ga_class_depends_on(const ga_class *c, PyObject *function); /* what is known of it */
int ga_class_plans_hold(const ga_class *c, int all);            /* or only what no watcher reports */
