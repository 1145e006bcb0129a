/* What CPython's watchers report, as marks in the mirrors. */
#include "mirror_events.h"
#include "watch.h"

#define LARGEST_FD (1 << 22)

/* The number that a key stands for, or -1. */
static int32_t number_of(PyObject *key)
{
    int overflow = 0;
    if (!PyLong_Check(key))
        return -1;
    long fd = PyLong_AsLongAndOverflow(key, &overflow);
    return overflow || fd < 0 || fd > LARGEST_FD ? -1 : (int32_t)fd;
}

static void resynchronise(ga_mirror *m)
{
    m->resync = 1;
    ga_mirror_touch(m);
}

void ga_mirror_map_changed(void *mirror, PyDict_WatchEvent event, PyObject *key, PyObject *value)
{
    ga_mirror *m = mirror;
    int32_t fd = key ? number_of(key) : 0;
    ga_channel *c;
    switch (event) {
    case PyDict_EVENT_ADDED:
        if (fd < 0) {
            m->foreign = 1;
            ga_mirror_touch(m);
        } else
            ga_channel_add(m, fd, value, m->next_order++);
        break;
    case PyDict_EVENT_MODIFIED:
        c = ga_channel_at(m, fd);
        if (!c) /* the key 3.0 replaces the value of 3 */
            resynchronise(m);
        else if (c->obj != value)
            ga_channel_add(m, fd, value, c->order); /* it gets the old one's place */
        break;
    case PyDict_EVENT_DELETED:
        if (ga_channel_at(m, fd))
            ga_channel_remove(m, ga_number_at(m, fd));
        else
            resynchronise(m);
        break;
    case PyDict_EVENT_CLEARED:
        ga_channel_remove_all(m);
        m->foreign = 0;
        break;
    case PyDict_EVENT_CLONED:
        resynchronise(m);
        break;
    case PyDict_EVENT_DEALLOCATED:
        ga_mirror_end(m);
        break;
    }
}

/* Whether a settled predicate has read the attribute. */
static int reads(const ga_channel *c, PyObject *name)
{
    for (int i = 0; c->class && i < 2; i++)
        if (c->class->plans[i] && ga_plan_reads(c->class->plans[i], name))
            return 1;
    return 0;
}

void ga_mirror_attribute_changed(void *channel, PyDict_WatchEvent event, PyObject *key, PyObject *Py_UNUSED(value))
{
    ga_channel *c = channel;
    if (event == PyDict_EVENT_CLONED || (event == PyDict_EVENT_ADDED && !PyUnicode_CheckExact(key)))
        c->odd = 1;
    if (event == PyDict_EVENT_DEALLOCATED)
        c->dict = NULL; /* its __dict__ was replaced */
    else if (key && event != PyDict_EVENT_CLONED && PyUnicode_CheckExact(key) && PyUnicode_CHECK_INTERNED(key)) {
        int i = 0;
        while (i < N_DECIDING && key != ga_names[i])
            i++;
        if (key == NAME(socket))
            c->renewed = 1; /* the number may stand for another open file, without leaving the map */
        else if (i == N_DECIDING && !reads(c, key)) {
            if (c->asked) /* the predicates may look at it */
                ga_mirror_touch(c->mirror);
            return;
        }
        if (i == N_DECIDING || (i >= N_accepting && i <= N_producer_fifo)) {
            ga_mark_value(c);
            return;
        }
    }
    ga_mark_channel(c);
}

void ga_mirror_class_assigned(PyObject *obj)
{
    if (PyModule_Check(obj)) /* its attributes may be computed from now on */
        ga_classes_renew();
    if (PyType_Check(obj) || !ga_class_known(Py_TYPE(obj)))
        return;
    PyObject *dict = PyObject_GenericGetDict(obj, NULL);
    ga_channel *c = dict ? ga_watched(dict, WATCH_CHANNEL) : NULL; /* nothing is remembered of others */
    if (!dict)
        PyErr_Clear();
    Py_XDECREF(dict);
    if (!c || c->obj != obj || c->suspect)
        return;
    ga_mirror *m = c->mirror;
    if (ga_reserve(&m->suspects, &m->suspect_size, m->suspect_count + 1, sizeof *m->suspects) < 0) {
        ga_mark_channel(c);
        return;
    }
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
        ga_channel_unwatch(c);
        c->renewed = 1;
        ga_mark_channel(c);
    }
}

void ga_mirror_class_changed(ga_class *class)
{
    for (ga_mirror *m = class->users ? ga_mirrors : NULL; m; m = m->next)
        ga_mark_all(m, class);
}

void ga_mirror_synchronise(ga_mirror *m)
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
        int32_t fd = number_of(key);
        if (fd < 0) {
            m->foreign = 1;
            continue;
        }
        ga_channel *c = ga_channel_at(m, fd);
        if (!c || c->obj != value || c->order <= last) {
            ga_channel_add(m, fd, value, m->next_order++);
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
            ga_channel_remove(m, n);
        else if (!n->marked && (n->channel ? n->channel->changed : n->reported)) /* there was no memory to mark it */
            ga_mark(m, n);
    }
}
