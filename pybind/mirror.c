/* The mirror of a map: its channels come and go, and are marked to be looked at again. */
#include "mirror.h"
#include "alarm.h"
#include "watch.h"

ga_mirror *ga_mirrors;
int ga_attended;

void ga_mirror_touch(ga_mirror *m)
{
    if (m->settled && m->attendant == PyThread_get_thread_ident()) {
        m->settled = 0;
        ga_waker_end_wait(&m->waker);
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
    if (!n->marked) {
        if (ga_reserve(&m->marked, &m->marked_size, m->marked_count + 1, sizeof *m->marked) < 0) {
            m->resync = 1;
        } else {
            n->marked = 1;
            m->marked[m->marked_count++] = (ga_marked){n->fd, m->asking, n->channel ? n->channel->order : 0};
        }
    }
    ga_mirror_touch(m);
}

void ga_mark_value(ga_channel *c)
{
    if (c->changed || c->removed)
        return;
    c->changed = 1;
    ga_length_leave(c); /* now, because the containers may be gone after the change */
    ga_mark(c->mirror, ga_number_at(c->mirror, c->fd));
}

void ga_mark_channel(ga_channel *c)
{
    c->hiding = 1;
    ga_mark_value(c);
}

/* -- channels come and go ---------------------------------------------------------------------- */

void ga_channel_unwatch(ga_channel *c)
{
    if (c->dict)
        ga_unwatch(c->dict);
    c->dict = NULL;
}

static void release(ga_channel *c)
{
    if (c->class)
        ga_class_release(c->class);
    PyMem_Free(c);
}

void ga_channel_remove(ga_mirror *m, ga_number *n)
{
    ga_channel *c = n->channel;
    n->channel = NULL;
    /* A predicate removed it. As in 3.11, which has a list of the numbers by then, the pass waits for this one all the same: if it
     * is closed, that is EBADF or ends the wait. */
    if (m->asking && c->class)
        n->left = !n->reported || n->reported == REPORTED_UNKNOWN || ga_number_report(m, n, n->reported, c->order) == 0;
    m->departures++;
    m->count--;
    ga_mark(m, n);
    ga_channel_unwatch(c);
    ga_length_leave(c);
    c->changed = c->settled = 0;
    if (m->asking && c->class && c->order > m->asking &&
        ga_reserve(&m->removed, &m->removed_size, m->removed_count + 1, sizeof *m->removed) == 0 && ga_asked_enter(c) == 0) {
        /* It was in the map when the pass began, so it is still asked: it keeps its place. */
        Py_INCREF(c->obj);
        c->removed = 1;
        c->direct = 0;
        m->removed[m->removed_count++] = c;
        return;
    }
    ga_asked_leave(c);
    release(c);
}

void ga_removed_drop(ga_mirror *m)
{
    while (m->removed_count) {
        ga_channel *c = m->removed[--m->removed_count];
        PyObject *obj = c->obj;
        ga_asked_leave(c);
        release(c);
        Py_DECREF(obj);
    }
}

void ga_channel_add(ga_mirror *m, int32_t fd, PyObject *obj, uint64_t order)
{
    ga_number *n = ga_number_made(m, fd);
    ga_channel *c = n ? PyMem_Malloc(sizeof *c) : NULL;
    if (!c) {
        ga_number_drop_unused(m, fd);
        m->resync = 1;
        return;
    }
    if (n->channel)
        ga_channel_remove(m, n);
    *c = (ga_channel){.mirror = m, .obj = obj, .order = order, .fd = fd, .slot = -1};
    n->channel = c;
    m->count++;
    ga_mark_channel(c);
}

int ga_channel_is_waited_for(const ga_channel *c)
{
    return c->known || ga_number_at(c->mirror, c->fd)->reported_of == c->obj;
}

void ga_mark_all(ga_mirror *m, const ga_class *class)
{
    for (int32_t i = 0; i < m->number_size; i++) {
        ga_channel *c = m->numbers[i].fd < 0 ? NULL : m->numbers[i].channel;
        if (c && (!class || c->class == class))
            ga_mark_channel(c);
    }
}

void ga_channel_remove_all(ga_mirror *m)
{
    for (int32_t i = 0; i < m->number_size; i++)
        if (m->numbers[i].fd >= 0 && m->numbers[i].channel)
            ga_channel_remove(m, &m->numbers[i]);
}

/* Handles of mirrors that are gone: Go closes what belongs to them. */
static uintptr_t *abandoned;
static int32_t abandoned_count, abandoned_size;

uintptr_t ga_mirror_abandoned(void)
{
    return abandoned_count ? abandoned[--abandoned_count] : 0;
}

void ga_mirror_end(ga_mirror *m)
{
    for (ga_mirror **at = &ga_mirrors; *at; at = &(*at)->next)
        if (*at == m) {
            *at = m->next;
            break;
        }
    m->settled = 0;
    ga_attended -= m->attendant != 0;
    ga_channel_remove_all(m);
    if (m->go.handle) {
        ga_alarm_forget(&m->go);
        ga_waker_close(&m->waker);
        if (ga_reserve(&abandoned, &abandoned_size, abandoned_count + 1, sizeof *abandoned) == 0)
            abandoned[abandoned_count++] = m->go.handle;
    }
    PyMem_RawFree(m->numbers);
    PyMem_RawFree(m->asked);
    PyMem_RawFree(m->lengths);
    PyMem_RawFree(m->marked);
    PyMem_RawFree(m->suspects);
    PyMem_RawFree(m->removed);
    PyMem_RawFree(m->go.changes);
    PyMem_RawFree(m);
}

ga_mirror *ga_mirror_of(PyObject *map)
{
    ga_mirror *m = ga_watched(map, WATCH_MAP);
    if (m)
        return m;
    m = PyMem_RawCalloc(1, sizeof *m);
    if (!m) {
        PyErr_NoMemory();
        return NULL;
    }
    m->map = map;
    m->next_order = 1;
    m->resync = 1;
    m->go.descriptor = -1;
    m->waker = (ga_waker){.fds = {-1, -1}, .poller = -1, .programs_fd = -1};
    m->due = Py_HUGE_VAL;
    if (ga_watch(map, WATCH_MAP, m) < 0) {
        /* Without a watcher nothing would report that the map is gone. Passes are portable then. */
        PyMem_RawFree(m);
        return NULL;
    }
    m->next = ga_mirrors;
    ga_mirrors = m;
    return m;
}
