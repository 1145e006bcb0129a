//go:build gopy_binding

/* The mirror of a map: which channel stands under which number, and which of them have to be looked at again.
 * What they wait for is in interest.c. Requires the GIL throughout. */
#include "plan.h"

int ga_attended;

/* Makes room for `need` items; 0, or -1 without an exception. */
int ga_reserve(void *items, int32_t *size, int32_t need, size_t item)
{
    if (need <= *size)
        return 0;
    int32_t bigger = *size ? *size : 4;
    while (bigger < need)
        bigger *= 2;
    void *moved = PyMem_RawRealloc(*(void **)items, (size_t)bigger * item);
    if (!moved)
        return -1;
    *(void **)items = moved;
    *size = bigger;
    return 0;
}

void ga_mirror_touch(ga_mirror *m)
{
    if (m->settled && m->attendant == PyThread_get_thread_ident()) {
        m->settled = 0;
        ga_own_end_wait(m);
    }
}

void ga_mirrors_touch(void)
{
    if (ga_attended)
        for (ga_mirror *m = ga_mirrors; m; m = m->next)
            ga_mirror_touch(m);
}

void ga_mark(ga_mirror *m, ga_number *n)
{
    if (!n->queued) {
        if (ga_reserve(&m->dirty, &m->dirty_size, m->dirty_count + 1, sizeof *m->dirty) < 0) {
            m->resync = 1;
        } else {
            n->queued = 1;
            m->dirty[m->dirty_count++] = (ga_dirty){n->fd, m->asking};
        }
    }
    ga_mirror_touch(m);
}

void ga_mark_channel(ga_channel *c)
{
    if (c->changed || c->removed)
        return;
    c->changed = 1;
    ga_leave_sized(c); /* before the change: the containers may be gone after it */
    ga_mark(c->mirror, ga_number_at(c->mirror, c->fd));
}

/* -- channels come and go ---------------------------------------------------------------------- */

void ga_drop_dict(ga_channel *c)
{
    if (c->dict)
        ga_unwatch(c->dict);
    c->dict = NULL;
}

static void release(ga_channel *c)
{
    if (c->class)
        ga_class_release(c->class);
    PyMem_RawFree(c);
}

void ga_remove_channel(ga_mirror *m, ga_number *n)
{
    ga_channel *c = n->channel;
    n->channel = NULL;
    m->departures++;
    m->count--;
    ga_mark(m, n);
    ga_drop_dict(c);
    ga_leave_sized(c);
    c->changed = c->settled = 0;
    if (c->own && m->asking && c->order > m->asking && ga_reserve(&m->gone, &m->gone_size, m->gone_count + 1, sizeof *m->gone) == 0) {
        /* The pass has begun with it in the map, so it is still asked: it stays in its place. */
        Py_INCREF(c->obj);
        c->removed = 1;
        m->gone[m->gone_count++] = c;
        return;
    }
    ga_leave_own(c);
    release(c);
}

/* Drops those that were only kept to be asked. Runs Python code. */
void ga_bury(ga_mirror *m)
{
    while (m->gone_count) {
        ga_channel *c = m->gone[--m->gone_count];
        PyObject *obj = c->obj;
        ga_leave_own(c);
        release(c);
        Py_DECREF(obj);
    }
}

void ga_add_channel(ga_mirror *m, int32_t fd, PyObject *obj, uint64_t order)
{
    ga_number *n = ga_number_made(m, fd);
    ga_channel *c = n ? PyMem_RawCalloc(1, sizeof *c) : NULL;
    if (!c) {
        ga_number_drop_unused(m, fd);
        m->resync = 1;
        return;
    }
    if (n->channel)
        ga_remove_channel(m, n);
    *c = (ga_channel){.mirror = m, .obj = obj, .order = order, .fd = fd, .slot = -1};
    n->channel = c;
    m->count++;
    ga_mark_channel(c);
}

/* The number that a key stands for, or -1. Sets no exception. */
int32_t ga_number_of(PyObject *key)
{
    int overflow = 0;
    if (!PyLong_Check(key))
        return -1;
    long fd = PyLong_AsLongAndOverflow(key, &overflow);
    return overflow || fd < 0 || fd > LARGEST_FD ? -1 : (int32_t)fd;
}

ga_channel *ga_channel_at(const ga_mirror *m, int32_t fd)
{
    ga_number *n = ga_number_at(m, fd);
    return n ? n->channel : NULL;
}

int ga_waited_for(const ga_channel *c)
{
    return c->reported || ga_number_at(c->mirror, c->fd)->told_of == c->obj;
}

static void resynchronise(ga_mirror *m)
{
    m->resync = 1;
    ga_mirror_touch(m);
}

void ga_mirror_event(ga_mirror *m, PyDict_WatchEvent event, PyObject *key, PyObject *value)
{
    int32_t fd = key ? ga_number_of(key) : 0;
    ga_channel *c;
    switch (event) {
    case PyDict_EVENT_ADDED:
        if (fd < 0) {
            m->foreign = 1;
            ga_mirror_touch(m);
        } else
            ga_add_channel(m, fd, value, m->next_order++);
        break;
    case PyDict_EVENT_MODIFIED:
        c = ga_channel_at(m, fd);
        if (!c) /* 3.0 stands for the 3 that is there */
            resynchronise(m);
        else if (c->obj != value)
            ga_add_channel(m, fd, value, c->order); /* it has the old one's place */
        break;
    case PyDict_EVENT_DELETED:
        if (ga_channel_at(m, fd))
            ga_remove_channel(m, ga_number_at(m, fd));
        else
            resynchronise(m);
        break;
    case PyDict_EVENT_CLEARED:
        ga_remove_all(m);
        m->foreign = 0;
        break;
    case PyDict_EVENT_CLONED:
        resynchronise(m);
        break;
    case PyDict_EVENT_DEALLOCATED:
        ga_forget_mirror(m);
        break;
    }
}

/* Whether a predicate that need not be called has read the attribute. */
static int reads(const ga_channel *c, PyObject *name)
{
    for (int i = 0; c->class && i < 2; i++)
        if (c->class->plans[i] && ga_plan_reads(c->class->plans[i], name))
            return 1;
    return 0;
}

void ga_mirror_channel_event(ga_channel *c, PyDict_WatchEvent event, PyObject *key)
{
    if (event == PyDict_EVENT_CLONED || (event == PyDict_EVENT_ADDED && !PyUnicode_CheckExact(key)))
        c->odd = 1;
    if (event == PyDict_EVENT_DEALLOCATED)
        c->dict = NULL; /* its __dict__ was replaced */
    else if (key && event != PyDict_EVENT_CLONED && PyUnicode_CheckExact(key) && PyUnicode_CHECK_INTERNED(key)) {
        int i = 0;
        while (i < N_COUNT && key != ga_names[i])
            i++;
        if (key == ga_name_socket)
            c->renewed = 1; /* another open file, perhaps, under a number that does not leave the map */
        else if (i == N_COUNT && !reads(c, key)) {
            if (c->own) /* the predicates may look at it */
                ga_mirror_touch(c->mirror);
            return;
        }
    }
    ga_mark_channel(c);
}

void ga_mirror_class_assigned(PyObject *obj)
{
    if (PyType_Check(obj) || !ga_class_known(Py_TYPE(obj)))
        return;
    PyObject *dict = PyObject_GenericGetDict(obj, NULL);
    ga_channel *c = dict ? ga_watched(dict, WATCH_CHANNEL) : NULL; /* of others nothing is remembered from pass to pass */
    if (!dict)
        PyErr_Clear();
    Py_XDECREF(dict);
    if (!c || c->obj != obj || c->suspect)
        return;
    ga_mirror *m = c->mirror;
    if (ga_reserve(&m->suspects, &m->suspect_size, m->suspect_count + 1, sizeof *m->suspects) < 0)
        return; /* the audit finds it */
    m->suspects[m->suspect_count++] = (ga_suspect){c->fd, c->order};
    c->suspect = 1;
    ga_mirror_touch(m);
}

void ga_mirror_look_at_suspects(ga_mirror *m)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < m->suspect_count; i++) {
        ga_channel *c = ga_channel_at(m, m->suspects[i].fd);
        if (!c || c->order != m->suspects[i].order || !c->suspect)
            continue;
        c->suspect = !c->class || c->class->type == Py_TYPE(c->obj);
        if (c->suspect)
            m->suspects[kept++] = m->suspects[i];
        else
            ga_mark_channel(c);
    }
    m->suspect_count = kept;
}

void ga_mirror_dict_replaced(PyObject *dict)
{
    ga_channel *c = ga_watched(dict, WATCH_CHANNEL);
    if (c) {
        ga_drop_dict(c);
        c->renewed = 1;
        ga_mark_channel(c);
    }
}

void ga_mirror_mark_all(ga_mirror *m)
{
    for (int32_t i = 0; i < m->number_size; i++)
        if (m->numbers[i].fd >= 0 && m->numbers[i].channel)
            ga_mark_channel(m->numbers[i].channel);
}

void ga_mirror_class_changed(ga_class *class)
{
    for (ga_mirror *m = class->users ? ga_mirrors : NULL; m; m = m->next)
        for (int32_t i = 0; i < m->number_size; i++) {
            ga_channel *c = m->numbers[i].fd < 0 ? NULL : m->numbers[i].channel;
            if (c && c->class == class)
                ga_mark_channel(c);
        }
}
