/* The channels' classes: each comes with its first channel and goes after its last. */
#include "classes.h"
#include "watch.h"

/* Classes without channels that are remembered, because connections come and go: a connection that is the only one of its class
 * takes 9.6 us, and 15.1 if the class is looked at anew. */
#define SPARE 16
#define MOST_LOOKS 100 /* in one pass, at classes that change while they are looked at */

static ga_class **buckets; /* a power of two of them */
static size_t bucket_count, class_count;
static ga_class *spare;
static ga_class *idle[SPARE]; /* classes without channels that are remembered, the oldest at next_idle */
static unsigned next_idle;

/* -- by type ----------------------------------------------------------------------------------- */

static ga_class **bucket_of(PyTypeObject *type)
{
    uintptr_t h = (uintptr_t)type >> 4;
    return &buckets[(h ^ h >> 8 ^ h >> 16) & (bucket_count - 1)];
}

static ga_class *found(PyTypeObject *type)
{
    ga_class *c = bucket_count ? *bucket_of(type) : NULL;
    while (c && c->type != type)
        c = c->next;
    return c;
}

static ga_class *after(const ga_class *c)
{
    if (c && c->next)
        return c->next;
    for (size_t i = c ? (size_t)(bucket_of(c->type) - buckets) + 1 : 0; i < bucket_count; i++)
        if (buckets[i])
            return buckets[i];
    return NULL;
}

/* 0, or -1 without an exception. */
static int grow(void)
{
    size_t count = bucket_count;
    ga_class **before = buckets, **bigger = PyMem_RawCalloc(count ? count * 2 : SPARE, sizeof *bigger);
    if (!bigger)
        return -1;
    buckets = bigger;
    bucket_count = count ? count * 2 : SPARE;
    for (size_t i = 0; i < count; i++)
        for (ga_class *c = before[i], *next; c; c = next) {
            ga_class **at = bucket_of(c->type);
            next = c->next;
            c->next = *at;
            *at = c;
        }
    PyMem_RawFree(before);
    return 0;
}

/* A class of which nothing is known, for the type; NULL without an exception. */
static ga_class *made(PyTypeObject *type)
{
    ga_class *c = class_count < bucket_count || grow() == 0 ? PyMem_RawCalloc(1, sizeof *c) : NULL;
    if (!c)
        return NULL;
    ga_class **at = bucket_of(type);
    *c = (ga_class){.type = type, .next = *at};
    *at = c;
    class_count++;
    return c;
}

/* The class holds nothing and is in no list. */
static void forget(ga_class *c)
{
    ga_class **at = bucket_of(c->type);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    class_count--;
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
    c->held = 1;
    Py_INCREF(type);
    c->watched = ga_watch_class(type) == 0; /* unwatched, its channels are asked */
    int same = c->version && c->version == type->tp_version_tag && c->epoch == ga_plan_epoch;
    for (int i = 0; same && i < N_DECIDING; i++)
        c->seen[i] = Py_XNewRef(ga_class_lookup(type, i));
    for (int i = 0; same && i < 2; i++)
        same = !c->plans[i] || ga_plan_take_up(c->plans[i], type) == 0;
    if (same && c->watched) {
        ga_class_compare(c, 1);
        return 0;
    }
    PyObject *held[2];
    ga_class_know_nothing(c, held);
    Py_XDECREF(held[0]);
    Py_XDECREF(held[1]);
    if (!c->watched)
        return 0;
    ga_class_renew(c);
    return ga_classes_refresh();
}

ga_class *ga_class_of(PyTypeObject *type)
{
    ga_class *c = found(type);
    if (!c && !(c = made(type))) {
        PyErr_NoMemory();
        return NULL;
    }
    c->users++;
    if ((c->held ? c->stale ? ga_classes_refresh() : 0 : take_up(c)) < 0) {
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

/* Takes what the class holds, for the caller to release; returns how much that is. */
static int take_held(ga_class *c, PyObject *held[N_DECIDING + 3])
{
    int count = 0;
    if (!c->held)
        return 0;
    c->held = 0;
    if (c->watched)
        ga_unwatch_class(c->type);
    c->watched = 0;
    held[count++] = (PyObject *)c->type;
    ga_class_compare(c, 0);
    for (int i = 0; i < 2; i++)
        if (c->plans[i])
            held[count++] = ga_plan_take(c->plans[i]);
    for (int i = 0; i < N_DECIDING; i++)
        if (c->seen[i]) {
            held[count++] = c->seen[i];
            c->seen[i] = NULL;
        }
    ga_class_unstale(c);
    return count;
}

void ga_classes_drop_unused(void)
{
    while (spare) {
        ga_class *c = spare;
        spare = c->next_spare;
        c->spare = 0;
        if (c->users)
            continue;
        PyObject *held[N_DECIDING + 3];
        c->version = c->watched && !c->stale && !c->renewed ? c->type->tp_version_tag : 0;
        c->epoch = ga_plan_epoch;
        int count = take_held(c, held);
        if (c->version) {
            ga_class *oldest = idle[next_idle];
            idle[next_idle] = c;
            next_idle = (next_idle + 1) % SPARE;
            c = oldest;
        }
        if (c) {
            PyObject *none[2];
            ga_class_know_nothing(c, none); /* they hold nothing any more */
            forget(c);
        }
        while (count) /* last, because it may run any code */
            Py_DECREF(held[--count]);
    }
}

/* Those that channels point to stay, but nothing is known of them. */
void ga_classes_end(void)
{
    for (ga_class *c = after(NULL); c;) {
        PyObject *held[N_DECIDING + 3], *none[2];
        int count = take_held(c, held);
        c->version = 0;
        ga_class_know_nothing(c, none);
        if (!count) {
            c = after(c);
            continue;
        }
        while (count)
            Py_DECREF(held[--count]);
        c = after(NULL); /* any code may have run */
    }
}

int ga_class_known(PyTypeObject *type)
{
    ga_class *c = found(type);
    return c && c->users;
}

/* Makes the classes stale of which something changed that their watchers do not report. */
static void compare(void)
{
    static uint64_t compared_epoch; /* ga_plan_epoch when all plans were last compared */
    int all = compared_epoch != ga_plan_epoch;
    compared_epoch = ga_plan_epoch;
    for (ga_class *c = all || ga_classes_compared ? after(NULL) : NULL; c; c = after(c))
        if (c->watched && !ga_class_plans_hold(c, all))
            ga_class_renew(c);
}

int ga_classes_refresh(void)
{
    compare();
    ga_class *c;
    for (int looks = 0; looks < MOST_LOOKS && (c = ga_class_next_stale()); looks++)
        if (c->users && ga_class_look_at(c) < 0)
            return -1;
    return 0;
}

void ga_class_changed(PyTypeObject *type)
{
    ga_class *c = found(type);
    if (c)
        ga_class_make_stale(c);
}

void ga_function_changed(PyObject *function)
{
    ga_plan_epoch++;
    for (ga_class *c = after(NULL); c; c = after(c))
        if (c->watched && ((c->plans[0] && ga_plan_calls(c->plans[0], function)) || (c->plans[1] && ga_plan_calls(c->plans[1], function)) ||
                           c->seen[N_readable] == function || c->seen[N_writable] == function))
            ga_class_renew(c);
}
