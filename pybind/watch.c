//go:build gopy_binding

/* Watching dicts and classes: CPython's watchers, and who is to be told. Requires the GIL throughout.
 *
 * The callbacks run before the change is made, on whatever thread makes it, perhaps with an exception
 * set. So they mark and return: no Python code, no exception touched. */
#include "internal.h"

int ga_trusted, ga_forked;
uint64_t ga_namespace_epoch, ga_plan_epoch;

static int dict_watcher = -1, class_watcher = -1, function_watcher = -1;

/* dict → owner: open addressing; the kind is in the owner's low bits. */
typedef struct {
    PyObject *dict;
    uintptr_t owner;
} slot;

static slot *table;
static size_t table_size, table_used; /* used counts what was removed too */
static PyObject *const removed = (PyObject *)1;

static size_t place(PyObject *dict, size_t size)
{
    uintptr_t h = (uintptr_t)dict >> 4;
    h ^= h >> 15;
    /* The bits in the middle of the product; of 32, enough are left for a large table. */
    return (h * (uintptr_t)0x9E3779B97F4A7C15u >> (sizeof h > 4 ? 20 : 8)) & (size - 1);
}

static slot *find(PyObject *dict)
{
    if (!table_size)
        return NULL;
    for (size_t i = place(dict, table_size);; i = (i + 1) & (table_size - 1)) {
        if (table[i].dict == dict)
            return &table[i];
        if (!table[i].dict)
            return NULL;
    }
}

static int grow(void)
{
    size_t live = 0;
    for (size_t i = 0; i < table_size; i++)
        live += table[i].dict && table[i].dict != removed;
    size_t size = 64;
    while (size < live * 3)
        size *= 2;
    slot *bigger = PyMem_RawCalloc(size, sizeof *bigger);
    if (!bigger)
        return -1;
    for (size_t i = 0; i < table_size; i++) {
        if (!table[i].dict || table[i].dict == removed)
            continue;
        size_t j = place(table[i].dict, size);
        while (bigger[j].dict)
            j = (j + 1) & (size - 1);
        bigger[j] = table[i];
    }
    PyMem_RawFree(table);
    table = bigger;
    table_size = size;
    table_used = live;
    return 0;
}

static void forget(slot *s)
{
    s->dict = removed;
    s->owner = 0;
}

int ga_is_watched(PyObject *dict)
{
    return find(dict) != NULL;
}

void *ga_watched(PyObject *dict, ga_watch_kind kind)
{
    slot *s = find(dict);
    return s && (s->owner & 7) == (uintptr_t)kind ? (void *)(s->owner & ~(uintptr_t)7) : NULL;
}

int ga_watch(PyObject *dict, ga_watch_kind kind, void *owner)
{
    if (dict_watcher < 0 || find(dict))
        return -1; /* somebody else's already: the same channel may stand in two maps */
    if ((table_used + 1) * 3 >= table_size * 2 && grow() < 0)
        return -1;
    if (PyDict_Watch(dict_watcher, dict) < 0) {
        PyErr_Clear();
        return -1;
    }
    size_t i = place(dict, table_size);
    while (table[i].dict && table[i].dict != removed)
        i = (i + 1) & (table_size - 1);
    table_used += !table[i].dict;
    table[i] = (slot){dict, (uintptr_t)owner | kind};
    return 0;
}

void ga_unwatch(PyObject *dict)
{
    slot *s = find(dict);
    if (!s)
        return;
    forget(s);
    PyDict_Unwatch(dict_watcher, dict); /* fails only for what is no dict or no watcher of ours */
}

static int probe_count;

/* The names of globals that plans depend on: a bit for some of them, so that a program that counts in a global of another
 * name makes no work. */
static uint64_t global_names;

static uint64_t bit_of(PyObject *name)
{
    return (uint64_t)1 << (((uintptr_t)name >> 4 ^ (uintptr_t)name >> 10) & 63);
}

int ga_watch_global(PyObject *name)
{
    int before = (global_names & bit_of(name)) != 0;
    global_names |= bit_of(name);
    return before;
}

static void on_global(PyDict_WatchEvent event, PyObject *key)
{
    if (event <= PyDict_EVENT_DELETED && key && PyUnicode_CheckExact(key) && PyUnicode_CHECK_INTERNED(key) && !(global_names & bit_of(key)))
        return;
    ga_plan_epoch++;
    ga_mirrors_touch();
}

static int on_dict(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    if (ga_forked)
        return 0;
    slot *s = find(dict);
    if (!s)
        return 0;
    void *owner = (void *)(s->owner & ~(uintptr_t)7);
    ga_watch_kind kind = s->owner & 7;
    if (event == PyDict_EVENT_DEALLOCATED)
        forget(s);
    switch (kind) {
    case WATCH_MAP:
        ga_mirror_event(owner, event, key, value);
        break;
    case WATCH_CHANNEL:
        ga_mirror_channel_event(owner, event, key);
        break;
    case WATCH_NAMESPACE:
        ga_namespace_epoch++;
        on_global(event, key);
        break;
    case WATCH_GLOBALS:
        on_global(event, key);
        break;
    case WATCH_PROBE:
        probe_count++;
        break;
    }
    return 0;
}

static int on_class(PyTypeObject *type)
{
    if (ga_forked)
        return 0;
    ga_class_changed(type);
    ga_mirrors_touch();
    return 0;
}

static int on_function(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *value)
{
    (void)value;
    if (event != PyFunction_EVENT_CREATE && event != PyFunction_EVENT_DESTROY && !ga_forked) {
        ga_function_changed((PyObject *)function);
        ga_mirrors_touch();
    }
    return 0;
}

/* `obj.__class__ = other` shows to no watcher, but it is an audited event; so is the first step of monitoring. */
static int on_audit(const char *event, PyObject *args, void *data)
{
    (void)data;
    if (event[0] == 's' && !strcmp(event, "sys.monitoring.register_callback"))
        ga_tracing_may_begin();
    if (event[0] != 'o' || strcmp(event, "object.__setattr__") || ga_forked || !PyTuple_Check(args) || PyTuple_GET_SIZE(args) != 3)
        return 0;
    PyObject *name = PyTuple_GET_ITEM(args, 1);
    if (PyInterpreterState_Get() != PyInterpreterState_Main())
        return 0; /* the hook is the process's, and another interpreter may have a GIL of its own */
    if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "__class__") == 0)
        ga_mirror_class_assigned(PyTuple_GET_ITEM(args, 0));
    return 0;
}

int ga_watch_setup(void)
{
    /* There are eight of each kind. Without one for maps nothing would tell when a map is gone. */
    if ((dict_watcher = PyDict_AddWatcher(on_dict)) < 0)
        return -1;
    if ((class_watcher = PyType_AddWatcher(on_class)) < 0 || (function_watcher = PyFunction_AddWatcher(on_function)) < 0)
        PyErr_Clear(); /* every channel is asked in every pass then */
    if (PySys_AddAuditHook(on_audit, NULL) < 0) {
        PyErr_Clear(); /* refused by another hook: the audit of the mirror finds it within a second */
        ga_tracing_may_begin();
    }
    return 0;
}

int ga_watch_class(PyTypeObject *type)
{
    if (class_watcher < 0)
        return -1;
    if (PyType_Watch(class_watcher, (PyObject *)type) < 0) {
        PyErr_Clear();
        return -1;
    }
    return 0;
}

void ga_unwatch_class(PyTypeObject *type)
{
    if (class_watcher >= 0 && PyType_Unwatch(class_watcher, (PyObject *)type) < 0)
        PyErr_Clear();
}

int ga_probe(intptr_t object)
{
    ga_take_gil();
    static char owner[8] __attribute__((aligned(8)));
    PyObject *dict = ga_watchable_dict((PyObject *)object);
    int status = dict ? ga_watch(dict, WATCH_PROBE, owner) : -1;
    Py_XDECREF(dict);
    PyEval_SaveThread();
    return status;
}

int ga_probe_count(void)
{
    ga_take_gil();
    int count = probe_count;
    probe_count = 0;
    PyEval_SaveThread();
    return count;
}

void ga_trust(int trusted)
{
    ga_take_gil();
    ga_trusted = function_watcher < 0 && trusted > 1 ? 1 : trusted;
    PyEval_SaveThread();
}
