//go:build gopy_binding

/* What the channels of a mirrored map wait for: their predicates evaluated or asked, and the changes for the engine.
 * Requires the GIL throughout. */
#include "mirror.h"

#include <time.h>

#define MANY 1024    /* items of a list that grew for an occasion, from which its memory is given back */
#define FEW_SIZED 16 /* queues that are looked at after each answer of a predicate */

/* Reports what the engine does not know yet of a number. 0, or -1 without an exception. */
static int report(ga_mirror *m, ga_number *n, uint8_t want)
{
    ga_channel *c = n->channel;
    if (n->told == want && (!want || !c || (c->reported && !c->renewed))) {
        if (c) {
            c->reported = 1;
            c->told = want;
            n->told_of = c->obj;
        }
        return 0;
    }
    if (ga_reserve(&m->go.changes, &m->change_size, m->go.change_count + 1, sizeof(ga_change)) < 0)
        return -1;
    m->go.changes[m->go.change_count++] = (ga_change){n->fd, want, c ? c->order : 0};
    m->stats.changes++;
    m->wanting += (want != 0) - (n->told != 0 && n->told != TOLD_UNKNOWN);
    n->told = want;
    n->told_of = c ? c->obj : NULL;
    if (c) {
        c->reported = 1;
        c->told = want;
        c->renewed = 0;
    }
    return 0;
}

int ga_report(ga_channel *c)
{
    if (c->reported && !c->renewed && c->told == c->want)
        return 0;
    return report(c->mirror, ga_number_at(c->mirror, c->fd), c->want);
}

static void retell(ga_mirror *m, ga_number *n)
{
    if (n->told != 0 && n->told != TOLD_UNKNOWN)
        m->wanting--;
    n->told = TOLD_UNKNOWN;
    if (n->channel) {
        n->channel->reported = 0;
        ga_mark_channel(n->channel);
    } else
        ga_mark(m, n);
}

void ga_mirror_retell_changes(ga_mirror *m)
{
    for (int i = 0; i < m->go.change_count; i++) {
        ga_number *n = ga_number_made(m, m->go.changes[i].fd);
        if (n)
            retell(m, n);
        else
            m->resync = 1;
    }
    m->go.change_count = 0;
}

void ga_mirror_retell_all(ga_mirror *m)
{
    for (int32_t i = 0; i < m->number_size; i++) {
        ga_number *n = &m->numbers[i];
        if (n->fd >= 0 && (n->told || n->channel))
            retell(m, n);
    }
    m->go.change_count = 0;
}

/* 0, 1, or -1 with an exception set. */
static int ask_one(ga_mirror *m, ga_channel *c, PyObject *obj, int name)
{
    PyObject *args[2] = {NULL, obj}, *answer;
    size_t count = 1 | PY_VECTORCALL_ARGUMENTS_OFFSET;
    if (c) {
        if (c->settled & 1 << name)
            return c->answers >> name & 1;
        m->stats.asked++;
        PyObject *function = Py_NewRef(c->class->seen[name]);
        vectorcallfunc call = PyVectorcall_Function(function);
        answer = call ? call(function, args + 1, count, NULL) : PyObject_Vectorcall(function, args + 1, count, NULL);
        Py_DECREF(function);
    } else {
        m->stats.asked++;
        answer = PyObject_VectorcallMethod(ga_names[name], args + 1, count, NULL);
    }
    if (!answer)
        return -1;
    int is = answer == Py_True ? 1 : answer == Py_False || answer == Py_None ? 0 : PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return is;
}

/* Whether the class's functions can be called without looking for them. */
static int is_direct(ga_channel *c)
{
    return c->direct && !c->changed && c->class->direct && !c->class->stale && c->class->type == Py_TYPE(c->obj);
}

/* The channel that stands under the number of one that has been asked, or NULL. */
static ga_channel *found_again(ga_mirror *m, ga_channel *c, int32_t fd, uint64_t departures)
{
    return m->departures == departures ? c->removed ? NULL : c : ga_channel_at(m, fd);
}

/* What the channel's own predicates say; -1 with an exception set. `c` may be gone after the first. */
static int ask(ga_channel *c)
{
    PyObject *obj = c->obj;
    ga_mirror *m = c->mirror;
    int32_t fd = c->fd;
    uint64_t order = c->order, departures = m->departures;
    int readable = ask_one(m, is_direct(c) ? c : NULL, obj, N_READABLE);
    if (readable < 0)
        return -1;
    c = found_again(m, c, fd, departures);
    int still = c && c->order == order && c->obj == obj && is_direct(c);
    int writable = ask_one(m, still ? c : NULL, obj, N_WRITABLE);
    if (writable < 0)
        return -1;
    if (writable) {
        PyObject *accepting = PyObject_GetAttr(obj, ga_names[N_ACCEPTING]);
        int is = accepting ? PyObject_IsTrue(accepting) : -1;
        Py_XDECREF(accepting);
        if (is < 0)
            return -1;
        writable = !is;
    }
    return (readable ? GA_READ : 0) | (writable ? GA_WRITE : 0);
}

/* Asks a channel with predicates of its own. `c` may be gone after that. 0, or -1 with an exception set. */
static int ask_channel(ga_mirror *m, ga_channel *c)
{
    PyObject *obj = c->obj;
    int32_t fd = c->fd;
    uint64_t order = c->order, departures = m->departures;
    m->asking = order;
    Py_INCREF(obj);
    int want = ask(c);
    Py_DECREF(obj);
    /* A queue that a predicate filled counts for the channels after it in this pass; for the others, and
     * where there are many to look at, in the next. */
    if (m->sized_count <= FEW_SIZED)
        ga_look_at_sizes(m);
    m->asking = 0;
    if (want < 0)
        return -1;
    /* The predicates may have taken it away, or replaced it, or put it in again: then nobody has
     * looked at the new entry yet, but its channel has been asked. */
    c = found_again(m, c, fd, departures);
    if (!c || c->obj != obj || (c->order == order ? !c->own : c->class != NULL))
        return 0;
    c->want = (uint8_t)want;
    c->renewed |= !c->dict; /* nothing would tell of another socket */
    return ga_report(c) < 0 ? (PyErr_NoMemory(), -1) : 0;
}

/* Goes through what changed; of what changed while the pass was asking, only what stands after the
 * channel that was being asked then. 0, or -1 with an exception set. */
static int look_at_dirty(ga_mirror *m, int asked)
{
    int32_t kept = 0, status = 0;
    for (int32_t i = 0; i < m->dirty_count; i++) {
        ga_dirty d = m->dirty[i];
        ga_number *n = ga_number_at(m, d.fd);
        ga_channel *c = n->channel;
        int later = asked && c && (c->order <= d.stamp || !c->class);
        if (status < 0 || later) {
            m->dirty[kept++] = (ga_dirty){d.fd, 0};
            continue;
        }
        n->queued = 0;
        if (!c) {
            if ((status = report(m, n, 0)) < 0) {
                ga_mark(m, n);
                PyErr_NoMemory();
            }
            ga_number_drop_unused(m, d.fd);
        } else if (c->changed) {
            int was_own = c->own;
            status = ga_channel_look_at(c);
            c = ga_channel_at(m, d.fd) == c ? c : NULL;
            if (status < 0 && c)
                ga_mark_channel(c);
            else if (asked && c && c->own && !was_own)
                status = ask_channel(m, c); /* it would have been, had it been its own from the start */
        }
    }
    m->dirty_count = kept;
    if (!kept && m->dirty_size > MANY) { /* many at once are rare */
        PyMem_RawFree(m->dirty);
        m->dirty = NULL;
        m->dirty_size = 0;
    }
    return status;
}

/* Asks those with predicates of their own, in map order. 0, or -1 with an exception set. */
static int ask_all(ga_mirror *m)
{
    if (m->own_holes)
        ga_close_holes(m);
    int status = 0;
    for (int32_t i = 0, count = m->own_count; i < count && status == 0; i++)
        if (m->own[i])
            status = ask_channel(m, m->own[i]);
    return status;
}

/* At most once a second: what neither watcher nor audit hook shows. A __dict__ that was replaced while
 * the program held on to the old one, and classes assigned where the hook was refused. */
static void audit(ga_mirror *m)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    double seconds = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    if (seconds - m->audited < 1)
        return;
    m->audited = seconds;
    for (int32_t i = 0; i < m->number_size; i++) {
        ga_channel *c = m->numbers[i].fd < 0 ? NULL : m->numbers[i].channel;
        if (!c || !c->class)
            continue;
        if (c->class->type != Py_TYPE(c->obj))
            ga_mark_channel(c);
        else if (c->dict) {
            PyObject *dict = PyObject_GenericGetDict(c->obj, NULL);
            if (dict != c->dict) {
                ga_drop_dict(c);
                ga_mark_channel(c);
            }
            Py_XDECREF(dict);
            PyErr_Clear();
        }
    }
}

/* 0, or -1 with an exception set. */
static int collect(ga_mirror *m)
{
    m->go.change_count = 0;
    if (m->change_size > MANY) {
        PyMem_RawFree(m->go.changes);
        m->go.changes = NULL;
        m->change_size = 0;
    }
    ga_classes_drop_unused();
    if (ga_is_traced() != m->traced) {
        m->traced = !m->traced;
        ga_mirror_mark_all(m);
    }
    if (ga_classes_refresh() < 0)
        return -1;
    if (m->resync || ga_trusted < 2 || m->count != PyDict_GET_SIZE(m->map))
        ga_synchronise(m);
    if (m->resync) {
        PyErr_NoMemory();
        return -1;
    }
    if (m->foreign)
        return 0;
    audit(m);
    ga_mirror_look_at_suspects(m);
    ga_look_at_sizes(m);
    if (m->dirty_count && look_at_dirty(m, 0) < 0)
        return -1;
    if (m->own_count) {
        if (ask_all(m) < 0)
            return -1;
        return m->dirty_count ? look_at_dirty(m, 1) : 0;
    }
    return 0;
}

int ga_mirror_collect(ga_mirror *m)
{
    int status = collect(m);
    if (m->gone_count) {
        PyObject *exc = PyErr_GetRaisedException();
        ga_bury(m);
        PyErr_SetRaisedException(exc);
    }
    return status;
}
