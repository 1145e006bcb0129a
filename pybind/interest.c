/* What channels wait for: those that must be asked are asked, and the changes are collected for the engine. */
#include "interest.h"
#include "asking.h"
#include "mirror_events.h"
#include "predicates.h"
#include "tracing.h"
#include "watch.h"

#define MANY 1024  /* items, from which on the memory of a list is freed after use */
#define LENGTHS 64 /* that are compared for each channel that is asked: as long as the asking takes */

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

/* Marks the channels of which a length has changed. */
static void compare_lengths(ga_mirror *m)
{
    /* From the end, because the last one takes the place of one that leaves. */
    for (int32_t i = m->length_count - 1; i >= 0; i--) {
        if (i >= m->length_count)
            continue;
        const ga_length *s = &m->lengths[i];
        if (*s->length != s->seen && !(s->any && *s->length && s->seen))
            ga_mark_value(s->channel);
    }
}

/* Marks the channels of which the last calls have changed a length. What a predicate does counts for the channels after it in this
 * pass, for the others in the next. With many lengths and many to ask, several calls share a comparison. */
static void see_lengths(ga_mirror *m)
{
    m->unseen = 0;
    m->asking = m->unseen_from; /* rather too early in this pass than after the timeout */
    compare_lengths(m);
}

/* Asks a channel, which may be gone after that. */
static int ask_channel(ga_mirror *m, ga_channel *c)
{
    PyObject *obj = c->obj;
    int32_t fd = c->fd;
    uint64_t order = c->order, departures = m->departures;
    int acts = (c->settled | c->settling) != 3 || !ga_is_direct(c);
    m->asking = order;
    Py_INCREF(obj);
    int want = ga_ask(c);
    Py_DECREF(obj);
    if (acts && want >= 0) {
        if (m->suspect_count)
            ga_mirror_look_at_suspects(m);
        if (ga_classes_refresh(0) < 0)
            want = -1;
        if (m->length_count && !m->unseen++)
            m->unseen_from = order;
        if (m->unseen && m->unseen * LENGTHS >= m->length_count)
            see_lengths(m);
    }
    m->asking = 0;
    if (want < 0)
        return -1;
    c = ga_found_again(m, c, fd, departures);
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
    if (ga_predicates_settled(c))
        ga_asked_leave(c);
    return report_channel(c);
}

static int in_map_order(const void *one, const void *other)
{
    uint64_t a = ((const ga_marked *)one)->order, b = ((const ga_marked *)other)->order;
    return (a > b) - (a < b);
}

/* What is marked from that place on, in map order: those to ask then come last in their list, and need not be moved to their place.
 * With 9,900 channels, turning a tracer on or off takes 3.1 ms, and 12.7 unsorted. */
static void sort_marked(ga_mirror *m, int32_t from)
{
    for (int32_t i = from + 1; i < m->marked_count; i++)
        if (m->marked[i].order < m->marked[i - 1].order) {
            qsort(m->marked + from, (size_t)(m->marked_count - from), sizeof *m->marked, in_map_order);
            return;
        }
}

/* Looks at what is marked, from that place on; while the pass asks, only at what comes after the channel being asked then. */
static int look_at_marked(ga_mirror *m, int32_t from, int asking)
{
    int32_t kept = from, status = 0;
    sort_marked(m, from);
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
    int32_t seen = m->marked_count, status = 0;
    uint64_t last = 0, departures = m->departures;
    m->unseen = 0;
    for (int32_t i = 0; i < m->asked_count && status == 0; i++) {
        const int32_t count = m->asked_count;
        if (m->asked[i] && (m->asked[i]->order > last || m->asked[i]->fresh)) {
            last = m->asked[i]->order > last ? m->asked[i]->order : last;
            m->asked[i]->fresh = 0;
            ga_asked_load_early(m, i);
            status = ask_channel(m, m->asked[i]);
        }
        if (i == count - 1 && m->unseen && status == 0) {
            see_lengths(m);
            m->asking = 0;
        }
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
    if (ga_classes_refresh(1) < 0)
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
    if (m->asked_holes) /* first, because others may enter */
        ga_asked_close_holes(m);
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
