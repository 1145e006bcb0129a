//go:build gopy_binding

/* The two lists in which channels stand that a pass has to look at. Requires the GIL throughout. */
#include "mirror.h"

/* -- those asked in each pass, in map order ---------------------------------------------------- */

void ga_leave_own(ga_channel *c)
{
    if (c->own) {
        c->mirror->own[c->slot] = NULL;
        c->mirror->own_holes++;
    }
    c->slot = -1;
    c->own = 0;
}

void ga_close_holes(ga_mirror *m)
{
    int32_t to = 0;
    for (int32_t i = 0; i < m->own_count; i++)
        if (m->own[i]) {
            m->own[to] = m->own[i];
            m->own[to]->slot = to;
            to++;
        }
    m->own_count = to;
    m->own_holes = 0;
}

/* 0, or -1 without an exception. */
int ga_enter_own(ga_channel *c)
{
    ga_mirror *m = c->mirror;
    if (c->own)
        return 0;
    if (ga_reserve(&m->own, &m->own_size, m->own_count + 1, sizeof *m->own) < 0)
        return -1;
    int32_t at = m->own_count++;
    /* Mostly the newest comes last; one that has just become its own goes to its place. */
    for (; at > 0 && (!m->own[at - 1] || m->own[at - 1]->order > c->order); at--) {
        m->own[at] = m->own[at - 1];
        if (m->own[at])
            m->own[at]->slot = at;
    }
    m->own[at] = c;
    c->slot = at;
    c->own = 1;
    return 0;
}

/* -- those with containers whose lengths decide, in no order ------------------------------------ */

const Py_ssize_t *ga_length_of(PyObject *value)
{
    if (PyList_CheckExact(value) || PyByteArray_CheckExact(value) || Py_IS_TYPE(value, ga_tools.deque) ||
        Py_IS_TYPE(value, (PyTypeObject *)ga_tools.backlog))
        return &((PyVarObject *)value)->ob_size;
    if (PyDict_CheckExact(value))
        return &((PyDictObject *)value)->ma_used;
    if (Py_IS_TYPE(value, &PySet_Type))
        return &((PySetObject *)value)->used;
    return NULL;
}

int ga_enter_sized(ga_channel *c, const Py_ssize_t *length, int any)
{
    ga_mirror *m = c->mirror;
    if (c->sized_count == GA_MOST_SIZED)
        return 0;
    if (ga_reserve(&m->sized, &m->sized_size, m->sized_count + 1, sizeof *m->sized) < 0)
        return -1;
    c->sized[c->sized_count++] = m->sized_count;
    m->sized[m->sized_count++] = (ga_sized){length, *length, c, (uint8_t)any};
    m->lengths += !any;
    return 1;
}

void ga_leave_sized(ga_channel *c)
{
    ga_mirror *m = c->mirror;
    while (c->sized_count) {
        int32_t at = c->sized[--c->sized_count], last = --m->sized_count;
        m->lengths -= !m->sized[at].any;
        m->sized[at] = m->sized[last];
        ga_channel *moved = m->sized[at].channel;
        for (int i = 0; at != last && i < moved->sized_count; i++)
            if (moved->sized[i] == last)
                moved->sized[i] = at;
    }
}

void ga_look_at_sizes(ga_mirror *m)
{
    /* From the end, because what leaves the list is replaced by its last. */
    for (int32_t i = m->sized_count - 1; i >= 0; i--) {
        if (i >= m->sized_count)
            continue;
        const ga_sized *s = &m->sized[i];
        if (*s->length != s->seen && !(s->any && *s->length && s->seen))
            ga_mark_channel(s->channel);
    }
}
