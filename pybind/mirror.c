//go:build gopy_binding

/* The mirror of a map: which channel stands under which number, what it waits for, and which of them
 * have to be looked at again. Requires the GIL throughout. */
#include "internal.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define MANY 1024 /* items of a list that grew for an occasion, from which its memory is given back */
#define FEW_SIZED 16 /* queues that are looked at after each answer of a predicate */

ga_mirror *ga_mirrors;

/* Makes room for `need` items; 0, or -1 without an exception. */
static int reserve(void *items, int32_t *size, int32_t need, size_t item)
{
    if (need <= *size)
        return 0;
    int32_t bigger = *size ? *size : 16;
    while (bigger < need)
        bigger *= 2;
    void *moved = PyMem_RawRealloc(*(void **)items, (size_t)bigger * item);
    if (!moved)
        return -1;
    *(void **)items = moved;
    *size = bigger;
    return 0;
}

static void end_wait(ga_mirror *m)
{
    uint64_t one = 1;
    m->stats.wakes++;
    int saved = errno;
    /* A full pipe or counter means that it is awake already. */
    if (write(m->go.wake_fd, &one, sizeof one) < 0) {
    }
    errno = saved;
}

static void wake(ga_mirror *m)
{
    if (!m->waiting || ga_forked) /* in a forked child the number may be anybody's */
        return;
    m->waiting = 0;
    if (m->go.wake_fd >= 0) /* else ga_wake_at() sees that there was a change */
        end_wait(m);
}

void ga_mirror_wake(ga_mirror *m)
{
    wake(m);
}

void ga_wake_at(ga_map *go, int fd)
{
    ga_take_gil();
    ga_mirror *m = (ga_mirror *)go;
    m->go.wake_fd = fd;
    if (!m->waiting)
        end_wait(m);
    PyEval_SaveThread();
}

static void mark(ga_mirror *m, int32_t fd)
{
    if (!m->queued[fd]) {
        if (reserve(&m->dirty, &m->dirty_size, m->dirty_count + 1, sizeof *m->dirty) < 0) {
            m->resync = 1;
        } else {
            m->queued[fd] = 1;
            m->dirty[m->dirty_count++] = (ga_dirty){fd, m->asking};
        }
    }
    wake(m);
}

static void mark_channel(ga_channel *c)
{
    if (c->changed || c->removed)
        return;
    c->changed = 1;
    mark(c->mirror, c->fd);
}

/* -- the two lists a channel can be in ------------------------------------------------------- */

static void leave_lists(ga_channel *c)
{
    ga_mirror *m = c->mirror;
    if (c->slot >= 0 && c->own) {
        m->own[c->slot] = NULL;
        m->own_holes++;
    } else if (c->slot >= 0) {
        ga_channel *last = m->sized[--m->sized_count];
        m->sized[c->slot] = last;
        last->slot = c->slot;
    }
    c->slot = -1;
    c->own = 0;
    c->sized = NULL;
}

static void close_holes(ga_mirror *m)
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
static int enter_own(ga_channel *c)
{
    ga_mirror *m = c->mirror;
    if (c->own)
        return 0;
    leave_lists(c);
    if (reserve(&m->own, &m->own_size, m->own_count + 1, sizeof *m->own) < 0)
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

/* 0, or -1 without an exception. */
static int enter_sized(ga_channel *c, PyObject *queue)
{
    ga_mirror *m = c->mirror;
    if (c->slot < 0) {
        if (reserve(&m->sized, &m->sized_size, m->sized_count + 1, sizeof *m->sized) < 0)
            return -1;
        c->slot = m->sized_count;
        m->sized[m->sized_count++] = c;
    }
    c->sized = queue;
    c->filled = Py_SIZE(queue) != 0;
    return 0;
}

/* -- channels come and go ---------------------------------------------------------------------- */

static void drop_dict(ga_channel *c)
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

static void remove_channel(ga_mirror *m, int32_t fd)
{
    ga_channel *c = m->by_fd[fd];
    if (!c)
        return;
    m->by_fd[fd] = NULL;
    m->count--;
    mark(m, fd);
    drop_dict(c);
    c->changed = 0;
    if (c->own && m->asking && c->order > m->asking && reserve(&m->gone, &m->gone_size, m->gone_count + 1, sizeof *m->gone) == 0) {
        /* The pass has begun with it in the map, so it is still asked: it stays in its place. */
        Py_INCREF(c->obj);
        c->removed = 1;
        m->gone[m->gone_count++] = c;
        return;
    }
    leave_lists(c);
    release(c);
}

/* Drops those that were only kept to be asked. Runs Python code. */
static void bury(ga_mirror *m)
{
    while (m->gone_count) {
        ga_channel *c = m->gone[--m->gone_count];
        PyObject *obj = c->obj;
        leave_lists(c);
        release(c);
        Py_DECREF(obj);
    }
}

static int make_room(ga_mirror *m, int32_t fd)
{
    if (fd < m->size)
        return 0;
    int32_t sizes[3] = {m->size, m->size, m->size};
    int32_t before = m->size;
    if (reserve(&m->by_fd, &sizes[0], fd + 1, sizeof *m->by_fd) < 0 || reserve(&m->told, &sizes[1], fd + 1, 1) < 0 ||
        reserve(&m->queued, &sizes[2], fd + 1, 1) < 0)
        return -1;
    m->size = sizes[0];
    memset(m->by_fd + before, 0, (size_t)(m->size - before) * sizeof *m->by_fd);
    memset(m->told + before, 0, (size_t)(m->size - before));
    memset(m->queued + before, 0, (size_t)(m->size - before));
    return 0;
}

static void add_channel(ga_mirror *m, int32_t fd, PyObject *obj, uint64_t order)
{
    ga_channel *c = make_room(m, fd) == 0 ? PyMem_RawCalloc(1, sizeof *c) : NULL;
    if (!c) {
        m->resync = 1;
        return;
    }
    if (m->by_fd[fd])
        remove_channel(m, fd);
    *c = (ga_channel){.mirror = m, .obj = obj, .order = order, .fd = fd, .slot = -1};
    m->by_fd[fd] = c;
    m->count++;
    mark_channel(c);
}

/* The number that a key stands for, or -1. Sets no exception. */
static int32_t number(PyObject *key)
{
    int overflow = 0;
    if (!PyLong_Check(key))
        return -1;
    long fd = PyLong_AsLongAndOverflow(key, &overflow);
    return overflow || fd < 0 || fd > LARGEST_FD ? -1 : (int32_t)fd;
}

static ga_channel *channel_at(ga_mirror *m, int32_t fd)
{
    return fd >= 0 && fd < m->size ? m->by_fd[fd] : NULL;
}

static void forget_mirror(ga_mirror *m);

static void resynchronise(ga_mirror *m)
{
    m->resync = 1;
    wake(m);
}

void ga_mirror_event(ga_mirror *m, PyDict_WatchEvent event, PyObject *key, PyObject *value)
{
    int32_t fd = key ? number(key) : 0;
    ga_channel *c;
    switch (event) {
    case PyDict_EVENT_ADDED:
        if (fd < 0) {
            m->foreign = 1;
            wake(m);
        } else
            add_channel(m, fd, value, m->next_order++);
        break;
    case PyDict_EVENT_MODIFIED:
        c = channel_at(m, fd);
        if (!c) /* 3.0 stands for the 3 that is there */
            resynchronise(m);
        else if (c->obj != value)
            add_channel(m, fd, value, c->order); /* it has the old one's place */
        break;
    case PyDict_EVENT_DELETED:
        if (channel_at(m, fd))
            remove_channel(m, fd);
        else
            resynchronise(m);
        break;
    case PyDict_EVENT_CLEARED:
        for (int32_t i = 0; i < m->size; i++)
            if (m->by_fd[i])
                remove_channel(m, i);
        m->foreign = 0;
        break;
    case PyDict_EVENT_CLONED:
        resynchronise(m);
        break;
    case PyDict_EVENT_DEALLOCATED:
        forget_mirror(m);
        break;
    }
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
        else if (i == N_COUNT) {
            if (c->own && c->mirror->attended) /* the predicates may look at it, and no pass is under way */
                wake(c->mirror);
            return;
        }
    }
    mark_channel(c);
}

void ga_mirror_class_event(void)
{
    for (ga_mirror *m = ga_mirrors; m; m = m->next)
        wake(m);
}

void ga_mirror_class_assigned(PyObject *obj)
{
    for (ga_mirror *m = ga_mirrors; m; m = m->next)
        for (int32_t i = 0; i < m->size; i++)
            if (m->by_fd[i] && m->by_fd[i]->obj == obj)
                mark_channel(m->by_fd[i]);
}

void ga_mirror_dict_replaced(PyObject *dict)
{
    ga_channel *c = ga_watched(dict, WATCH_CHANNEL);
    if (c) {
        drop_dict(c);
        c->renewed = 1;
        mark_channel(c);
    }
}

void ga_mirror_class_changed(ga_class *class)
{
    for (ga_mirror *m = ga_mirrors; m; m = m->next)
        for (int32_t i = 0; i < m->size; i++)
            if (m->by_fd[i] && m->by_fd[i]->class == class)
                mark_channel(m->by_fd[i]);
}

/* -- a mirror's life --------------------------------------------------------------------------- */

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

static void forget_mirror(ga_mirror *m)
{
    for (ga_mirror **at = &ga_mirrors; *at; at = &(*at)->next)
        if (*at == m) {
            *at = m->next;
            break;
        }
    m->waiting = 0;
    for (int32_t i = 0; i < m->size; i++)
        if (m->by_fd[i])
            remove_channel(m, i);
    if (m->go.handle) {
        for (int i = 0; i < 3; i++)
            if (m->go.own_fds[i] >= 0)
                close(m->go.own_fds[i]);
        if (reserve(&abandoned, &abandoned_size, abandoned_count + 1, sizeof *abandoned) == 0)
            abandoned[abandoned_count++] = m->go.handle;
    }
    PyMem_RawFree(m->by_fd);
    PyMem_RawFree(m->told);
    PyMem_RawFree(m->queued);
    PyMem_RawFree(m->own);
    PyMem_RawFree(m->sized);
    PyMem_RawFree(m->dirty);
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
    m->go.wake_fd = -1;
    m->go.own_fds[0] = m->go.own_fds[1] = m->go.own_fds[2] = m->go.descriptor = -1;
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

/* Makes the mirror equal to the map. Runs no Python code. */
static void synchronise(ga_mirror *m)
{
    m->resync = 0;
    m->foreign = 0;
    for (int32_t i = 0; i < m->size; i++)
        if (m->by_fd[i])
            m->by_fd[i]->unseen = 1;
    PyObject *key, *value;
    Py_ssize_t at = 0;
    uint64_t last = 0;
    while (PyDict_Next(m->map, &at, &key, &value)) {
        int32_t fd = number(key);
        if (fd < 0) {
            m->foreign = 1;
            continue;
        }
        ga_channel *c = channel_at(m, fd);
        if (!c || c->obj != value || c->order <= last) {
            add_channel(m, fd, value, m->next_order++);
            c = channel_at(m, fd);
            if (!c)
                return; /* no memory: resync is set again */
        }
        c->unseen = 0;
        last = c->order;
    }
    for (int32_t i = 0; i < m->size; i++) {
        ga_channel *c = m->by_fd[i];
        if (c && c->unseen)
            remove_channel(m, i);
        else if (!m->queued[i] && (c ? c->changed : m->told[i])) /* there was no memory to put it into `dirty` */
            mark(m, i);
    }
}

void ga_mirror_settle(ga_mirror *m)
{
    if (m->resync)
        synchronise(m);
}

/* -- what a channel waits for ------------------------------------------------------------------ */

/* Reports what the engine does not know yet. 0, or -1 without an exception. */
static int report(ga_mirror *m, int32_t fd, ga_channel *c, uint8_t want)
{
    uint8_t told = m->told[fd];
    if (told == want && (!want || !c || (c->reported && !c->renewed))) {
        if (c)
            c->reported = 1;
        return 0;
    }
    if (reserve(&m->go.changes, &m->change_size, m->go.change_count + 1, sizeof(ga_change)) < 0)
        return -1;
    m->go.changes[m->go.change_count++] = (ga_change){fd, want, c ? c->order : 0};
    m->stats.changes++;
    m->wanting += (want != 0) - (told != 0 && told != TOLD_UNKNOWN);
    m->told[fd] = want;
    if (c) {
        c->reported = 1;
        c->renewed = 0;
    }
    return 0;
}

static void retell(ga_mirror *m, int32_t fd)
{
    if (m->told[fd] != 0 && m->told[fd] != TOLD_UNKNOWN)
        m->wanting--;
    m->told[fd] = TOLD_UNKNOWN;
    ga_channel *c = m->by_fd[fd];
    if (c) {
        c->reported = 0;
        mark_channel(c);
    } else
        mark(m, fd);
}

void ga_mirror_retell_changes(ga_mirror *m)
{
    for (int i = 0; i < m->go.change_count; i++)
        retell(m, m->go.changes[i].fd);
    m->go.change_count = 0;
}

void ga_mirror_retell_all(ga_mirror *m)
{
    m->waiting = 0; /* the run is over: a wake-up would be the next one's */
    for (int32_t i = 0; i < m->size; i++)
        if (m->told[i] || m->by_fd[i])
            retell(m, i);
    m->go.change_count = 0;
}

/* What an attribute is worth: 0, 1, or -1 when only Python can tell. Runs no Python code. */
static int truth(PyObject *value)
{
    if (value == Py_True)
        return 1;
    if (value == Py_False || value == Py_None)
        return 0;
    return value && PyLong_CheckExact(value) ? PyObject_IsTrue(value) : -1;
}

static PyObject *attribute(ga_channel *c, int name)
{
    PyObject *value = PyDict_GetItemWithError(c->dict, ga_names[name]);
    return value ? value : ga_class_default(c->class, name);
}

int ga_mirror_truth(ga_channel *c, int name)
{
    return truth(attribute(c, name));
}

/* The length of a buffer or queue matters only in being 0. In *changing, whether it can change in
 * place. -1 when only Python can tell. */
static int filled(PyObject *value, int *changing)
{
    *changing = 0;
    if (!value)
        return -1;
    if (PyBytes_CheckExact(value))
        return PyBytes_GET_SIZE(value) != 0;
    if (PyUnicode_CheckExact(value))
        return PyUnicode_GET_LENGTH(value) != 0;
    if (Py_TYPE(value) == ga_tools.deque || PyByteArray_CheckExact(value) || (PyObject *)Py_TYPE(value) == ga_tools.backlog ||
        PyList_CheckExact(value)) {
        *changing = 1;
        return Py_SIZE(value) != 0;
    }
    return -1;
}

/* Whether the instance has one of these attributes itself. */
static int hides(ga_channel *c, int first, int last)
{
    for (int i = first; i <= last; i++)
        if (PyDict_GetItemWithError(c->dict, ga_names[i]))
            return 1;
    return 0;
}

/* Evaluates known predicates; -1 when they are not that. In *queue, what has to be looked at in each
 * pass. Runs no Python code. */
static int evaluate(ga_channel *c, PyObject **queue)
{
    *queue = NULL;
    if (hides(c, N_READABLE, N_WRITABLE))
        return -1;
    ga_rule rule = c->class->rules[N_WRITABLE];
    int accepting = truth(attribute(c, N_ACCEPTING));
    if (accepting < 0)
        return -1;
    int writable = rule != RULE_NO;
    if (rule == RULE_SENDER || rule == RULE_CHAT) {
        int connected = truth(attribute(c, N_CONNECTED)), changing;
        PyObject *unsent = attribute(c, rule == RULE_CHAT ? N_PRODUCER_FIFO : N_OUT_BUFFER);
        int any = filled(unsent, &changing);
        if (connected < 0 || any < 0)
            return -1;
        writable = !connected || any;
        if (changing)
            *queue = unsent;
    }
    return (c->class->rules[N_READABLE] == RULE_YES ? GA_READ : 0) | (writable && !accepting ? GA_WRITE : 0);
}

/* Finds out what kind of channel it is, and what it waits for if that takes no Python.
 * Runs Python code for a class not seen before. 0, or -1 with an exception set. */
static int look_at(ga_channel *c)
{
    c->changed = 0;
    PyTypeObject *type = Py_TYPE(c->obj);
    if (!c->class || c->class->type != type) {
        int32_t fd = c->fd;
        uint64_t order = c->order;
        ga_mirror *m = c->mirror;
        ga_class *class = ga_class_of(type);
        if (!class)
            return -1;
        if (m->by_fd[fd] != c || c->order != order) { /* the class was asked, and took the channel away */
            ga_class_release(class);
            return 0;
        }
        if (c->class)
            ga_class_release(c->class);
        c->class = class;
    }
    int want = -1;
    PyObject *queue = NULL;
    c->direct = c->bare = 0;
    if (c->dict && c->odd && !ga_only_names(c->dict))
        drop_dict(c);
    c->odd = 0;
    if (!c->dict && ga_trusted >= 2) {
        PyObject *dict = ga_watchable_dict(c->obj);
        if (dict && ga_watch(dict, WATCH_CHANNEL, c) == 0) {
            c->dict = dict;
            c->renewed = 1; /* nobody was looking until now */
        }
        Py_XDECREF(dict); /* no reference is kept: replacing __dict__ must show as its end */
    }
    if (c->dict && (GA_KNOWN(c->class) || c->class->direct)) {
        c->bare = !hides(c, N_HANDLE_READ_EVENT, N_HANDLE_WRITE);
        if (GA_KNOWN(c->class))
            want = evaluate(c, &queue);
        else
            c->direct = !hides(c, N_READABLE, N_WRITABLE);
    }
    if (want < 0)
        return enter_own(c) < 0 ? (PyErr_NoMemory(), -1) : 0;
    if (c->own || !queue)
        leave_lists(c);
    if (queue && enter_sized(c, queue) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    c->want = (uint8_t)want;
    return report(c->mirror, c->fd, c, c->want) < 0 ? (PyErr_NoMemory(), -1) : 0;
}

/* 0, 1, or -1 with an exception set. */
static int ask_one(ga_mirror *m, ga_channel *c, PyObject *obj, int name)
{
    PyObject *args[2] = {NULL, obj}, *answer;
    size_t count = 1 | PY_VECTORCALL_ARGUMENTS_OFFSET;
    if (c) {
        if (c->class->rules[name] == RULE_YES || c->class->rules[name] == RULE_NO)
            return c->class->rules[name] == RULE_YES;
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
    return c->direct && !c->changed && c->mirror->class_epoch == ga_class_epoch;
}

/* What the channel's own predicates say; -1 with an exception set. `c` may be gone after the first. */
static int ask(ga_channel *c)
{
    PyObject *obj = c->obj;
    ga_mirror *m = c->mirror;
    int32_t fd = c->fd;
    uint64_t order = c->order;
    int readable = ask_one(m, is_direct(c) ? c : NULL, obj, N_READABLE);
    if (readable < 0)
        return -1;
    c = fd < m->size ? m->by_fd[fd] : NULL;
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

/* Whether a queue has become empty, or no longer is. */
static void look_at_sizes(ga_mirror *m)
{
    for (int32_t i = 0; i < m->sized_count; i++) {
        ga_channel *c = m->sized[i];
        /* A changed channel may have another queue by now, and this one may be gone. */
        if (!c->changed && (Py_SIZE(c->sized) != 0) != c->filled)
            mark_channel(c);
    }
}

/* Asks a channel with predicates of its own. `c` may be gone after that. 0, or -1 with an exception set. */
static int ask_channel(ga_mirror *m, ga_channel *c)
{
    PyObject *obj = c->obj;
    int32_t fd = c->fd;
    uint64_t order = c->order;
    m->asking = order;
    Py_INCREF(obj);
    int want = ask(c);
    Py_DECREF(obj);
    /* A queue that a predicate filled counts for the channels after it in this pass; for the others, and
     * where there are many to look at, in the next. */
    if (m->sized_count <= FEW_SIZED)
        look_at_sizes(m);
    m->asking = 0;
    if (want < 0)
        return -1;
    /* The predicates may have taken it away, or replaced it, or put it in again: then nobody has
     * looked at the new entry yet, but its channel has been asked. */
    c = m->by_fd[fd];
    if (!c || c->obj != obj || (c->order == order ? !c->own : c->class != NULL))
        return 0;
    c->want = (uint8_t)want;
    c->renewed |= !c->dict; /* nothing would tell of another socket */
    return report(m, fd, c, c->want) < 0 ? (PyErr_NoMemory(), -1) : 0;
}

/* Goes through what changed; of what changed while the pass was asking, only what stands after the
 * channel that was being asked then. 0, or -1 with an exception set. */
static int look_at_dirty(ga_mirror *m, int asked)
{
    int32_t kept = 0, status = 0;
    for (int32_t i = 0; i < m->dirty_count; i++) {
        ga_dirty d = m->dirty[i];
        ga_channel *c = m->by_fd[d.fd];
        int later = asked && c && (c->order <= d.stamp || !c->class);
        if (status < 0 || later) {
            m->dirty[kept++] = (ga_dirty){d.fd, 0};
            continue;
        }
        m->queued[d.fd] = 0;
        if (!c)
            status = report(m, d.fd, NULL, 0) < 0 ? (PyErr_NoMemory(), -1) : 0;
        else if (c->changed) {
            int was_own = c->own;
            status = look_at(c);
            c = m->by_fd[d.fd] == c ? c : NULL;
            if (status < 0 && c)
                mark_channel(c);
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
        close_holes(m);
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
    for (int32_t i = 0; i < m->size; i++) {
        ga_channel *c = m->by_fd[i];
        if (!c || !c->class)
            continue;
        if (c->class->type != Py_TYPE(c->obj))
            mark_channel(c);
        else if (c->dict) {
            PyObject *dict = PyObject_GenericGetDict(c->obj, NULL);
            if (dict != c->dict) {
                drop_dict(c);
                mark_channel(c);
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
    ga_classes_compare_codes();
    if (m->class_epoch != ga_class_epoch) {
        m->class_epoch = ga_class_epoch;
        if (ga_classes_refresh() < 0)
            return -1;
    }
    if (m->resync || ga_trusted < 2 || m->count != PyDict_GET_SIZE(m->map))
        synchronise(m);
    if (m->resync) {
        PyErr_NoMemory();
        return -1;
    }
    if (m->foreign)
        return 0;
    audit(m);
    look_at_sizes(m);
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
        bury(m);
        PyErr_SetRaisedException(exc);
    }
    return status;
}
