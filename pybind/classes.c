/* The channels' classes: each comes with its first channel and goes after its last. */
#include "classes.h"
#include "watch.h"

#include <search.h>

/* Classes without channels that are remembered, because connections come and go: a connection that is the only one of its class
 * takes 9.6 us, and 15.1 if the class is looked at anew. */
#define SPARE 16
#define MOST_LOOKS 100 /* in one pass, at classes that change while they are looked at */

static void *by_type;     /* a tree of all classes, for tsearch(3) */
static ga_class *classes; /* a list of them */
static ga_class *spare;
static ga_class *idle[SPARE]; /* classes without channels that are remembered, the oldest at next_idle */
static unsigned next_idle;

/* -- by type ----------------------------------------------------------------------------------- */

/* Of pointers to pointers to types, as a pointer to a ga_class is one. */
static int compare_types(const void *one, const void *other)
{
    uintptr_t a = *(const uintptr_t *)one, b = *(const uintptr_t *)other;
    return (a > b) - (a < b);
}

static ga_class *found(PyTypeObject *type)
{
    ga_class **c = tfind(&type, &by_type, compare_types);
    return c ? *c : NULL;
}

/* A class of which nothing is known, for the type; NULL without an exception. */
static ga_class *made(PyTypeObject *type)
{
    ga_class *c = PyMem_RawMalloc(sizeof *c);
    if (!c)
        return NULL;
    *c = (ga_class){.type = type, .next = classes};
    if (!tsearch(c, &by_type, compare_types)) {
        PyMem_RawFree(c);
        return NULL;
    }
    if (classes)
        classes->before = c;
    return classes = c;
}

/* The class holds nothing and is in no other list. */
static void forget(ga_class *c)
{
    tdelete(c, &by_type, compare_types);
    if (c->next)
        c->next->before = c->before;
    *(c->before ? &c->before->next : &classes) = c->next;
    PyMem_RawFree(c);
}

/* -- classes come and go ----------------------------------------------------------------------- */

/* A class that was remembered or made gets its first channel. */
static int take_up(ga_class *c)
{
    PyTypeObject *type = c->type;
    for (int i = 0; i < SPARE; i++)
        if (idle[i] == c)
            idle[i] = NULL;
    if (!(c->held = ga_class_lookup(type, c->seen)))
        return -1;
    c->watched = ga_watch_class(type) == 0; /* unwatched, its channels are asked */
    int same = c->watched && c->version && c->version == type->tp_version_tag && c->epoch == ga_plan_epoch, status = 0;
    for (int i = 0; same && status == 0 && i < 2; i++)
        status = c->plans[i] ? ga_plan_hold(c->plans[i], type, c->held) : 0;
    if (same && status == 0)
        return 0;
    ga_class_know_nothing(c);
    ga_class_renew(c);
    return status < 0 ? -1 : ga_classes_refresh(1);
}

ga_class *ga_class_of(PyTypeObject *type)
{
    ga_class *c = found(type);
    if (!c && !(c = made(type))) {
        PyErr_NoMemory();
        return NULL;
    }
    c->users++;
    if ((c->held ? c->stale ? ga_classes_refresh(1) : 0 : take_up(c)) < 0) {
        ga_class_release(c);
        return NULL;
    }
    return c;
}

void ga_class_release(ga_class *c)
{
    if (--c->users || c->spare)
        return;
    c->spare = 1;
    c->next_spare = spare;
    spare = c;
}

/* Returns what the class holds, for the caller to release; NULL if it holds none. */
static PyObject *taken(ga_class *c)
{
    PyObject *held = c->held;
    c->held = NULL;
    memset(c->seen, 0, sizeof c->seen);
    if (c->watched)
        ga_unwatch_class(c->type);
    c->watched = 0;
    ga_class_unstale(c);
    return held;
}

void ga_classes_drop_unused(void)
{
    while (spare) {
        ga_class *c = spare;
        spare = c->next_spare;
        c->spare = 0;
        if (c->users)
            continue;
        c->version = c->watched && !c->stale && !c->renewed ? c->type->tp_version_tag : 0;
        c->epoch = ga_plan_epoch;
        PyObject *held = taken(c);
        if (c->version) {
            ga_class *oldest = idle[next_idle];
            idle[next_idle] = c;
            next_idle = (next_idle + 1) % SPARE;
            c = oldest;
        }
        if (c) {
            ga_class_know_nothing(c);
            forget(c);
        }
        Py_XDECREF(held); /* last, because it may run any code */
    }
}

/* Those that channels point to stay, but nothing is known of them. */
void ga_classes_end(void)
{
    for (ga_class *c = classes, *next; c; c = next) {
        PyObject *held = taken(c);
        c->version = 0;
        ga_class_know_nothing(c);
        next = c->next;
        if (held) {
            Py_DECREF(held);
            next = classes; /* any code may have run */
        }
    }
}

int ga_class_known(PyTypeObject *type)
{
    ga_class *c = found(type);
    return c && c->users;
}

/* Makes the classes stale of which something changed that their watchers do not report. */
static void compare(int cells)
{
    static uint64_t compared_epoch; /* ga_plan_epoch when all plans were last compared */
    int all = compared_epoch != ga_plan_epoch;
    compared_epoch = ga_plan_epoch;
    for (ga_class *c = all || (cells && ga_plans_with_cells) ? classes : NULL; c; c = c->next)
        if (c->watched && !ga_class_plans_hold(c, all))
            ga_class_renew(c);
}

int ga_classes_refresh(int cells)
{
    compare(cells);
    ga_class *c;
    int status = 0;
    for (int looks = 0; status == 0 && looks < MOST_LOOKS && (c = ga_class_next_stale()); looks++) {
        c->users++; /* it stays, whatever code runs */
        status = ga_class_look_at(c);
        ga_class_release(c);
    }
    return status;
}

void ga_class_changed(PyTypeObject *type)
{
    ga_class *c = found(type);
    if (c)
        ga_class_make_stale(c);
}

void ga_classes_renew(void)
{
    for (ga_class *c = classes; c; c = c->next)
        ga_class_renew(c);
    ga_plan_epoch++; /* for those that are remembered */
}

void ga_function_changed(PyObject *function)
{
    ga_plan_epoch++;
    for (ga_class *c = classes; c; c = c->next)
        if (c->watched && ga_class_depends_on(c, function))
            ga_class_renew(c);
}
