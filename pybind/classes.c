//go:build gopy_binding

/* What is known of the channels' classes, by type. Requires the GIL throughout. */
#include "plan.h"

/* Classes without channels that are remembered: connections come and go. A program may make a class for each of them. */
#define SPARE 16

#define MOST_LOOKS 100 /* in one pass, at classes that change while they are looked at */

static ga_class **buckets; /* a power of two of them */
static size_t bucket_count, class_count;
static ga_class *stale, *spare, *compared;
static uint64_t verified_epoch; /* ga_plan_epoch when the plans were last looked at */
static ga_class *idle[SPARE];   /* those without channels that are remembered, the longest first from next_idle on */
static unsigned next_idle;

/* The class's own attributes decide only if reading them runs no code of the program's. */
static int is_plain(PyObject *value)
{
    return !value || !Py_TYPE(value)->tp_descr_get;
}

/* Whether calling it with the instance is what calling the attribute would be. */
static int is_method(PyObject *value)
{
    return value && PyType_HasFeature(Py_TYPE(value), Py_TPFLAGS_METHOD_DESCRIPTOR);
}

/* Borrowed. The lookup gives the class a version again, without which its watcher stays silent. */
static PyObject *lookup(PyTypeObject *type, int name)
{
    return _PyType_Lookup(type, ga_names[name]);
}

/* Whether the order of the bases is the program's to choose: CPython tells no watcher when such a class gets other ones. */
static int has_own_order(PyTypeObject *type)
{
    static PyObject *name;
    if (Py_IS_TYPE(type, &PyType_Type))
        return 0;
    if (!name && !(name = PyUnicode_InternFromString("mro"))) {
        PyErr_Clear();
        return 1;
    }
    return _PyType_Lookup(Py_TYPE(type), name) != _PyType_Lookup(&PyType_Type, name);
}

/* -- by type ----------------------------------------------------------------------------------- */

static ga_class **bucket_of(PyTypeObject *type)
{
    uintptr_t h = (uintptr_t)type >> 4;
    return &buckets[(h ^ h >> 8 ^ h >> 16) & (bucket_count - 1)];
}

static ga_class *find(PyTypeObject *type)
{
    ga_class *c = bucket_count ? *bucket_of(type) : NULL;
    while (c && c->type != type)
        c = c->next;
    return c;
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

/* -- looking at a class ------------------------------------------------------------------------ */

static void make_stale(ga_class *c)
{
    if (c->stale || !c->watched)
        return;
    c->stale = 1;
    c->next_stale = stale;
    stale = c;
}

static void stop_comparing(ga_class *c)
{
    if (!c->compared_at)
        return;
    *c->compared_at = c->next_compared;
    if (c->next_compared)
        c->next_compared->compared_at = c->compared_at;
    c->compared_at = NULL;
}

/* What the plans held on to, owned, is in `held` for the caller to let go of. */
static void know_nothing(ga_class *c, PyObject *held[2])
{
    for (int i = 0; i < 2; i++) {
        held[i] = c->plans[i] ? ga_plan_end(c->plans[i]) : NULL;
        c->plans[i] = NULL;
        c->rules[i] = RULE_ASK;
    }
    c->direct = c->direct_read = c->direct_write = 0;
    stop_comparing(c);
}

static void compare_from_now_on(ga_class *c)
{
    int any = 0;
    for (int i = 0; i < 2; i++)
        any |= c->plans[i] && ga_plan_is_compared(c->plans[i]);
    if (!any || c->compared_at)
        return;
    c->next_compared = compared;
    c->compared_at = &compared;
    if (compared)
        compared->compared_at = &c->next_compared;
    compared = c;
}

/* What follows from what the class has. Runs Python code. 0, or -1 with an exception set. */
static int judge(ga_class *c, int replacing_shows)
{
    PyTypeObject *type = c->type;
    PyObject **seen = c->seen;
    if (ga_trusted < 2 || type->tp_getattro != PyObject_GenericGetAttr || !type->tp_version_tag || !replacing_shows || has_own_order(type))
        return 0;
    c->direct = is_method(seen[N_READABLE]) && is_method(seen[N_WRITABLE]);
    if (is_plain(seen[N_ACCEPTING]) && is_plain(seen[N_CONNECTED])) {
        c->direct_read = seen[N_HANDLE_READ_EVENT] == ga_tools.handle_read_event && is_method(seen[N_HANDLE_READ]);
        c->direct_write = seen[N_HANDLE_WRITE_EVENT] == ga_tools.handle_write_event && is_method(seen[N_HANDLE_WRITE]);
    }
    for (int i = N_ACCEPTING; i <= N_PRODUCER_FIFO; i++)
        if (!is_plain(seen[i]))
            return 0;
    PyObject *rules = PyObject_CallOneArg(ga_tools.rules_of, (PyObject *)type), *dependencies[2], *answers[2];
    int numbers[2], again = 0;
    int status = rules && PyArg_ParseTuple(rules, "(iOO)(iOO)", &numbers[0], &dependencies[0], &answers[0], &numbers[1], &dependencies[1],
                                           &answers[1])
                     ? 0
                     : -1;
    for (int i = 0; status == 0 && i < 2 && !c->stale; i++) {
        if (numbers[i] == RULE_PLAN && !(c->plans[i] = ga_plan_made(type, dependencies[i], answers[i], &again))) {
            status = PyErr_Occurred() ? -1 : 0; /* else it has to be asked */
            continue;
        }
        c->rules[i] = (ga_rule)numbers[i];
    }
    Py_XDECREF(rules);
    compare_from_now_on(c);
    if (again)
        make_stale(c);
    return status;
}

static int plans_hold(ga_class *c)
{
    for (int i = 0; i < 2; i++)
        if (c->plans[i] && !ga_plan_holds(c->plans[i], c->type))
            return 0;
    return 1;
}

/* Looks at a class that is watched and not in the list of stale ones. It is in that list again, and nothing is known of
 * it, where that failed or the class changed meanwhile. Runs Python code. 0, or -1 with an exception set. */
static int look(ga_class *c)
{
    PyTypeObject *type = c->type;
    int replacing_shows = ga_replacing_shows(type); /* first: it may take the class's version away */
    PyObject *seen[N_COUNT], *held[4] = {NULL};
    int different = c->renewed || c->getattro != type->tp_getattro || !plans_hold(c);
    for (int i = 0; i < N_COUNT; i++) {
        seen[i] = Py_XNewRef(lookup(type, i));
        different |= seen[i] != c->seen[i];
    }
    int status = 0;
    if (different) {
        c->renewed = 0;
        c->getattro = type->tp_getattro;
        ga_mirror_class_changed(c); /* before the old values go: a channel may have borrowed its queue from them */
        for (int i = 0; i < N_COUNT; i++) {
            PyObject *before = c->seen[i];
            c->seen[i] = seen[i];
            seen[i] = before;
        }
        know_nothing(c, held);
        c->users++;
        status = judge(c, replacing_shows);
        c->users--;
        if (status < 0 || c->stale || !c->watched) {
            know_nothing(c, held + 2);
            c->renewed = 1;
            make_stale(c);
        }
    }
    PyObject *exc = PyErr_GetRaisedException();
    for (int i = 0; i < N_COUNT; i++)
        Py_XDECREF(seen[i]);
    for (int i = 0; i < 4; i++)
        Py_XDECREF(held[i]);
    PyErr_SetRaisedException(exc);
    return status;
}

static void renew(ga_class *c)
{
    c->renewed = 1;
    make_stale(c);
}

/* Finds those of which something changed that no watcher of theirs tells. */
static void compare(void)
{
    for (ga_class *c = compared; c; c = c->next_compared)
        for (int i = 0; i < 2; i++)
            if (c->plans[i] && !ga_plan_still_holds(c->plans[i]))
                renew(c);
    if (verified_epoch == ga_plan_epoch)
        return;
    verified_epoch = ga_plan_epoch;
    for (size_t i = 0; i < bucket_count; i++)
        for (ga_class *c = buckets[i]; c; c = c->next)
            if (c->watched && !plans_hold(c))
                renew(c);
}

int ga_classes_refresh(void)
{
    compare();
    for (int looks = 0; stale && looks < MOST_LOOKS; looks++) {
        ga_class *c = stale;
        stale = c->next_stale;
        c->stale = 0;
        if (c->users && look(c) < 0)
            return -1;
    }
    return 0;
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
        c->seen[i] = Py_XNewRef(lookup(type, i));
    for (int i = 0; same && i < 2; i++)
        same = !c->plans[i] || ga_plan_take_up(c->plans[i], type) == 0;
    if (same && c->watched) {
        compare_from_now_on(c);
        return 0;
    }
    PyObject *held[2];
    know_nothing(c, held);
    Py_XDECREF(held[0]);
    Py_XDECREF(held[1]);
    if (!c->watched)
        return 0;
    renew(c);
    return ga_classes_refresh();
}

ga_class *ga_class_of(PyTypeObject *type)
{
    ga_class *c = find(type);
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
    stop_comparing(c);
    for (int i = 0; i < 2; i++)
        if (c->plans[i])
            held[count++] = ga_plan_take(c->plans[i]);
    for (int i = 0; i < N_COUNT; i++)
        if (c->seen[i]) {
            held[count++] = c->seen[i];
            c->seen[i] = NULL;
        }
    for (ga_class **at = &stale; c->stale && *at; at = &(*at)->next_stale)
        if (*at == c) {
            *at = c->next_stale;
            break;
        }
    c->stale = 0;
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
            know_nothing(c, none); /* held on to no more */
            forget(c);
        }
        while (count) /* only now: that may run anything */
            Py_DECREF(held[--count]);
    }
}

/* Those that channels point to stay, as classes of which nothing is known. */
void ga_classes_end(void)
{
    for (size_t i = 0; i < bucket_count; i++)
        for (ga_class *c = buckets[i]; c;) {
            PyObject *held[N_COUNT + 3], *none[2];
            int count = take_held(c, held);
            c->version = 0;
            know_nothing(c, none);
            if (!count) {
                c = c->next;
                continue;
            }
            while (count)
                Py_DECREF(held[--count]);
            c = buckets[i]; /* that may have run anything */
        }
}

int ga_class_known(PyTypeObject *type)
{
    ga_class *c = find(type);
    return c && c->users;
}

void ga_class_changed(PyTypeObject *type)
{
    ga_class *c = find(type);
    if (c)
        make_stale(c);
}

void ga_function_changed(PyObject *function)
{
    ga_plan_epoch++;
    for (size_t i = 0; i < bucket_count; i++)
        for (ga_class *c = buckets[i]; c; c = c->next)
            if (c->watched &&
                ((c->plans[0] && ga_plan_calls(c->plans[0], function)) || (c->plans[1] && ga_plan_calls(c->plans[1], function)) ||
                 c->seen[N_READABLE] == function || c->seen[N_WRITABLE] == function))
                renew(c);
}

PyObject *ga_class_default(ga_class *c, int name)
{
    return c->seen[name];
}
