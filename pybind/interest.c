/* What channels wait for: those that must be asked are asked, and the changes are collected for the engine. */
#include "interest.h"
#include "mirror_events.h"
#include "predicates.h"
#include "tracing.h"
#include "watch.h"

#define MANY 1024      /* items, from which on the memory of a list is freed after use */
#define FEW_LENGTHS 16 /* that are compared after each call of a predicate */

/* Reports the interest in a number to the engine, unless it knows it. 0, or -1 without an exception. */
static int report(ga_mirror *m, ga_number *n, uint8_t want)
{
    ga_channel *c = n->channel;
    int is_new = want && c && (!c->known || c->renewed);
    if (n->reported != want || is_new) {
        if (ga_number_report(m, n, want, c ? c->order : 0) < 0)
            return -1;
        if (c)
            c->renewed = 0;
    }
    n->reported_of = c ? c->obj : NULL;
    if (c) {
        c->known = 1;
        c->reported = want;
    }
    return 0;
}

/* What the channel waits for. */
static int report_channel(ga_channel *c)
{
    if (c->known && !c->renewed && c->reported == c->want)
        return 0;
    return report(c->mirror, ga_number_at(c->mirror, c->fd), c->want) < 0 ? (PyErr_NoMemory(), -1) : 0;
}

static void report_again(ga_mirror *m, ga_number *n)
{
    if (n->reported != 0 && n->reported != REPORTED_UNKNOWN)
        m->wanting--;
    n->reported = REPORTED_UNKNOWN;
    if (n->channel) {
        n->channel->known = 0;
        ga_mark_channel(n->channel);
    } else
        ga_mark(m, n);
}

void ga_interest_report_changes_again(ga_mirror *m)
{
    for (int i = 0; i < m->go.change_count; i++) {
        ga_number *n = ga_number_made(m, m->go.changes[i].fd);
        if (n)
            report_again(m, n);
        else
            m->resync = 1;
    }
    m->go.change_count = 0;
}

void ga_interest_report_all_again(ga_mirror *m)
{
    for (int32_t i = 0; i < m->number_size; i++) {
        ga_number *n = &m->numbers[i];
        if (n->fd >= 0 && (n->reported || n->channel))
            report_again(m, n);
    }
    m->go.change_count = 0;
}

/* Calls a predicate: the class's, if `c` is not NULL. 0, 1, or -1 with an exception set. */
static int ask_one(ga_mirror *m, ga_channel *c, PyObject *obj, int name)
{
    PyObject *args[2] = {NULL, obj}, *result;
    size_t count = 1 | PY_VECTORCALL_ARGUMENTS_OFFSET;
    if (c) {
        if (c->settled & 1 << name)
            return c->results >> name & 1;
        m->stats.asked++;
        PyObject *function = Py_NewRef(c->class->seen[name]);
        vectorcallfunc call = PyVectorcall_Function(function);
        result = call ? call(function, args + 1, count, NULL) : PyObject_Vectorcall(function, args + 1, count, NULL);
        Py_DECREF(function);
    } else {
        m->stats.asked++;
        result = PyObject_VectorcallMethod(ga_names[name], args + 1, count, NULL);
    }
    if (!result)
        return -1;
    int is = result == Py_True ? 1 : result == Py_False || result == Py_None ? 0 : PyObject_IsTrue(result);
    Py_DECREF(result);
    return is;
}

/* Whether the class's functions can be called without looking them up: 9,900 calls take 1,080 us then, else 1,830. */
static int is_direct(ga_channel *c)
{
    return c->direct && !c->changed && c->class->direct && !c->class->stale && c->class->type == Py_TYPE(c->obj);
}

/* The channel that now has the number of one that was asked, or NULL. */
static ga_channel *found_again(ga_mirror *m, ga_channel *c, int32_t fd, uint64_t departures)
{
    return m->departures == departures && !c->removed ? c : ga_channel_at(m, fd);
}

/* What the channel waits for by its predicates; -1 with an exception set. `c` may be gone after the first. */
static int ask(ga_channel *c)
{
    PyObject *obj = c->obj;
    ga_mirror *m = c->mirror;
    int32_t fd = c->fd;
    uint64_t order = c->order, departures = m->departures;
    int readable = ask_one(m, is_direct(c) ? c : NULL, obj, N_readable);
    if (readable < 0)
        return -1;
    c = found_again(m, c, fd, departures);
    int still = c && c->order == order && c->obj == obj && is_direct(c);
    int writable = ask_one(m, still ? c : NULL, obj, N_writable);
    if (writable < 0)
        return -1;
    if (writable) {
        PyObject *accepting = PyObject_GetAttr(obj, NAME(accepting));
        int is = accepting ? PyObject_IsTrue(accepting) : -1;
        Py_XDECREF(accepting);
        if (is < 0)
            return -1;
        writable = !is;
    }
    return (readable ? GA_READ : 0) | (writable ? GA_WRITE : 0);
}

/* Marks the channels of which a length has changed. */
static void compare_lengths(ga_mirror *m)
{
    /* From the end, because the last one takes the place of one that leaves. */
    for (int32_t i = m->length_count - 1; i >= 0; i--) {
        if (i >= m->length_count)
            continue;
        const ga_length *s = &m->lengths[i];
        if (*s->length != s->seen && !(s->any && *s->length && s->seen))
            ga_mark_channel(s->channel);
    }
}

/* Asks a channel, which may be gone after that. */
static int ask_channel(ga_mirror *m, ga_channel *c)
{
    PyObject *obj = c->obj;
    int32_t fd = c->fd;
    uint64_t order = c->order, departures = m->departures;
    m->asking = order;
    Py_INCREF(obj);
    int want = ask(c);
    Py_DECREF(obj);
    /* A queue that a predicate fills counts for the channels after it in this pass. For the others, and if there are many
     * lengths, it counts in the next pass. */
    if (m->length_count && m->length_count <= FEW_LENGTHS)
        compare_lengths(m);
    if (m->suspect_count)
        ga_mirror_look_at_suspects(m);
    m->asking = 0;
    if (want < 0)
        return -1;
    c = found_again(m, c, fd, departures);
    if (!c || c->obj != obj || c->order != order) { /* a predicate removed it, and may have replaced it or added it again */
        ga_number *n = ga_number_at(m, fd);
        if (!n || !n->left)
            return 0;
        n->reported_of = obj;
        return ga_number_report(m, n, (uint8_t)want, order) < 0 ? (PyErr_NoMemory(), -1) : 0;
    }
    if (!c->asked)
        return 0;
    c->want = (uint8_t)want;
    c->renewed |= !c->dict; /* nothing would report another socket */
    return report_channel(c);
}

/* Looks at what is marked, from that place on; while the pass asks, only at what comes after the channel being asked then. */
static int look_at_marked(ga_mirror *m, int32_t from, int asking)
{
    int32_t kept = from, status = 0;
    for (int32_t i = from; i < m->marked_count; i++) {
        ga_marked d = m->marked[i];
        ga_number *n = ga_number_at(m, d.fd);
        ga_channel *c = n->channel;
        int later = asking && (!c || !c->class || c->order <= d.stamp);
        if (status < 0 || later) {
            m->marked[kept++] = d;
            continue;
        }
        n->marked = n->left = 0;
        if (!c) {
            if ((status = report(m, n, 0)) < 0) {
                ga_mark(m, n);
                PyErr_NoMemory();
            }
            ga_number_drop_unused(m, d.fd);
        } else if (c->changed) {
            status = ga_predicates_look_at(c);
            if (status > 0)
                status = report_channel(c);
            if (status < 0 && ga_channel_at(m, d.fd) == c)
                ga_mark_channel(c);
        }
    }
    m->marked_count = kept;
    if (!kept && m->marked_size > MANY) { /* many at once are rare */
        PyMem_RawFree(m->marked);
        m->marked = NULL;
        m->marked_size = 0;
    }
    return status;
}

/* Of the channels that left the map while the pass was asking, only one that came back is told what happens to its number. */
static void forget_removed(ga_mirror *m)
{
    if (m->resync)
        ga_mirror_synchronise(m);
    for (int32_t i = 0; i < m->marked_count; i++) {
        ga_number *n = ga_number_at(m, m->marked[i].fd);
        if (n->left && !(n->channel && n->channel->obj == n->reported_of))
            n->reported_of = NULL;
    }
}

/* In map order. What a predicate changes about channels that come after it is looked at before these are asked. */
static int ask_all(ga_mirror *m)
{
    if (m->asked_holes)
        ga_asked_close_holes(m);
    int status = 0;
    uint64_t last = 0, departures = m->departures;
    for (int32_t i = 0, seen = m->marked_count; i < m->asked_count && status == 0; i++) {
        if (!m->asked[i] || m->asked[i]->order <= last)
            continue;
        const int32_t count = m->asked_count;
        last = m->asked[i]->order;
        ga_asked_load_early(m, i);
        status = ask_channel(m, m->asked[i]);
        if (status == 0 && m->marked_count > seen)
            status = look_at_marked(m, seen, 1);
        seen = m->marked_count;
        i = m->asked_count > count ? -1 : i; /* one came somewhere after this one */
    }
    if (m->departures != departures)
        forget_removed(m);
    return status;
}

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
        ga_mark_all(m, NULL);
    }
    if (ga_classes_refresh() < 0)
        return -1;
    if (m->resync || ga_trusted < 2 || m->count != PyDict_GET_SIZE(m->map))
        ga_mirror_synchronise(m);
    if (m->resync) {
        PyErr_NoMemory();
        return -1;
    }
    if (m->foreign)
        return 1;
    ga_mirror_look_at_suspects(m);
    compare_lengths(m);
    if (m->marked_count && look_at_marked(m, 0, 0) < 0)
        return -1;
    return m->asked_count ? ask_all(m) : 0;
}

int ga_interest_collect(ga_mirror *m)
{
    int status = collect(m);
    if (m->removed_count) {
        PyObject *exc = PyErr_GetRaisedException();
        ga_removed_drop(m);
        PyErr_SetRaisedException(exc);
    }
    return status;
}
