//go:build gopy_binding

/* The channels' classes, by type: they come with the first channel and go after the last. What is known of them is in
 * class_look.c. Requires the GIL throughout. */
#include "classes.h"

/* Classes without channels that are remembered: connections come and go. A program may make a class for each of them. */
#define SPARE 16

static ga_class **buckets; /* a power of two of them */
static size_t bucket_count, class_count;
static ga_class *spare;
static ga_class *idle[SPARE]; /* those without channels that are remembered, the longest first from next_idle on */
static unsigned next_idle;

/* -- by type ----------------------------------------------------------------------------------- */

static ga_class **bucket_of(PyTypeObject *type)
{
    uintptr_t h = (uintptr_t)type >> 4;
    return &buckets[(h ^ h >> 8 ^ h >> 16) & (bucket_count - 1)];
}

ga_class *ga_class_found(PyTypeObject *type)
{
    ga_class *c = bucket_count ? *bucket_of(type) : NULL;
    while (c && c->type != type)
        c = c->next;
    return c;
}

ga_class *ga_class_after(const ga_class *c)
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

/* Of a class that holds nothing and stands in no list. */
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

/* A class that was remembered or made has a channel. 0, or -1 with an exception set. */
static int take_up(ga_class *c)
{
    PyTypeObject *type = c->type;
    for (int i = 0; i < SPARE; i++)
        if (idle[i] == c)
            idle[i] = NULL;
    c->held = 1;
    Py_INCREF(type);
    c->watched = ga_watch_class(type) == 0; /* unwatched, it has to be asked */
    int same = c->version && c->version == type->tp_version_tag && c->epoch == ga_plan_epoch;
    for (int i = 0; same && i < N_COUNT; i++)
        c->seen[i] = Py_XNewRef(ga_class_lookup(type, i));
    for (int i = 0; same && i < 2; i++)
        same = !c->plans[i] || ga_plan_take_up(c->plans[i], type) == 0;
    if (same && c->watched) {
        ga_class_start_comparing(c);
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
    ga_class *c = ga_class_found(type);
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

/* Takes from the class what it holds, to be let go of; returns how much that is. */
static int take_held(ga_class *c, PyObject *held[N_COUNT + 3])
{
    int count = 0;
    if (!c->held)
        return 0;
    c->held = 0;
    if (c->watched)
        ga_unwatch_class(c->type);
    c->watched = 0;
    held[count++] = (PyObject *)c->type;
    ga_class_stop_comparing(c);
    for (int i = 0; i < 2; i++)
        if (c->plans[i])
            held[count++] = ga_plan_take(c->plans[i]);
    for (int i = 0; i < N_COUNT; i++)
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
        PyObject *held[N_COUNT + 3];
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
            ga_class_know_nothing(c, none); /* held on to no more */
            forget(c);
        }
        while (count) /* only now: that may run anything */
            Py_DECREF(held[--count]);
    }
}

/* Those that channels point to stay, as classes of which nothing is known. */
void ga_classes_end(void)
{
    for (ga_class *c = ga_class_after(NULL); c;) {
        PyObject *held[N_COUNT + 3], *none[2];
        int count = take_held(c, held);
        c->version = 0;
        ga_class_know_nothing(c, none);
        if (!count) {
            c = ga_class_after(c);
            continue;
        }
        while (count)
            Py_DECREF(held[--count]);
        c = ga_class_after(NULL); /* that may have run anything */
    }
}

int ga_class_known(PyTypeObject *type)
{
    ga_class *c = ga_class_found(type);
    return c && c->users;
}

PyObject *ga_class_default(ga_class *c, int name)
{
    return c->seen[name];
}
