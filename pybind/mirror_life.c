//go:build gopy_binding

/* A mirror's life: made at the first run over a map, compared with the map where its watcher could not say what changed, and
 * gone with it. Requires the GIL throughout. */
#include "mirror.h"

#include <unistd.h>

ga_mirror *ga_mirrors;

/* Handles of mirrors that are gone, for Go to drop what belongs to them. */
static long *abandoned;
static int32_t abandoned_count, abandoned_size;

long ga_next_abandoned(void)
{
    ga_take_gil();
    long handle = abandoned_count ? abandoned[--abandoned_count] : 0;
    PyEval_SaveThread();
    return handle;
}

void ga_forget_mirror(ga_mirror *m)
{
    for (ga_mirror **at = &ga_mirrors; *at; at = &(*at)->next)
        if (*at == m) {
            *at = m->next;
            break;
        }
    m->settled = 0;
    ga_attended -= m->attendant != 0;
    ga_remove_all(m);
    if (m->go.handle) {
        ga_own_close(m);
        if (ga_reserve(&abandoned, &abandoned_size, abandoned_count + 1, sizeof *abandoned) == 0)
            abandoned[abandoned_count++] = m->go.handle;
    }
    PyMem_RawFree(m->numbers);
    PyMem_RawFree(m->own);
    PyMem_RawFree(m->sized);
    PyMem_RawFree(m->dirty);
    PyMem_RawFree(m->suspects);
    PyMem_RawFree(m->gone);
    PyMem_RawFree(m->go.changes);
    PyMem_RawFree(m);
}

ga_mirror *ga_mirror_of(PyObject *map)
{
    ga_mirror *m = ga_watched(map, WATCH_MAP);
    if (m)
        return m;
    for (m = ga_mirrors; m; m = m->next) /* without watchers */
        if (m->map == map)
            return m;
    m = PyMem_RawCalloc(1, sizeof *m);
    if (!m) {
        PyErr_NoMemory();
        return NULL;
    }
    m->map = map;
    m->next_order = 1;
    m->resync = 1;
    m->go.poller_fd = m->go.descriptor = m->wake_fds[0] = m->wake_fds[1] = m->programs_fd = -1;
    m->due = Py_HUGE_VAL;
    if (ga_watch(map, WATCH_MAP, m) < 0) {
        /* Without a watcher nothing would tell when the map is gone: no mirror, portable passes. */
        PyMem_RawFree(m);
        return NULL;
    }
    m->next = ga_mirrors;
    ga_mirrors = m;
    return m;
}

void ga_synchronise(ga_mirror *m)
{
    m->resync = 0;
    m->foreign = 0;
    for (int32_t i = 0; i < m->number_size; i++)
        if (m->numbers[i].fd >= 0 && m->numbers[i].channel)
            m->numbers[i].channel->unseen = 1;
    PyObject *key, *value;
    Py_ssize_t at = 0;
    uint64_t last = 0;
    while (PyDict_Next(m->map, &at, &key, &value)) {
        int32_t fd = ga_number_of(key);
        if (fd < 0) {
            m->foreign = 1;
            continue;
        }
        ga_channel *c = ga_channel_at(m, fd);
        if (!c || c->obj != value || c->order <= last) {
            ga_add_channel(m, fd, value, m->next_order++);
            c = ga_channel_at(m, fd);
            if (!c)
                return; /* no memory: resync is set again */
        }
        c->unseen = 0;
        last = c->order;
    }
    for (int32_t i = 0; i < m->number_size; i++) {
        ga_number *n = &m->numbers[i];
        if (n->fd < 0)
            continue;
        if (n->channel && n->channel->unseen)
            ga_remove_channel(m, n);
        else if (!n->queued && (n->channel ? n->channel->changed : n->told)) /* there was no memory to put it into `dirty` */
            ga_mark(m, n);
    }
}

void ga_remove_all(ga_mirror *m)
{
    for (int32_t i = 0; i < m->number_size; i++)
        if (m->numbers[i].fd >= 0 && m->numbers[i].channel)
            ga_remove_channel(m, &m->numbers[i]);
}

void ga_mirror_settle(ga_mirror *m)
{
    if (m->resync)
        ga_synchronise(m);
}
