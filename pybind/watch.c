/* CPython's watchers of dicts, classes and functions. */
#include "watch.h"

int ga_trusted;

static const ga_watch_reports *reports;
static int dict_watcher = -1, class_watcher = -1, function_watcher = -1, hooked;

/* dict → owner: open addressing; the kind is in the owner's low bits. */
typedef struct {
    PyObject *dict;
    uintptr_t owner;
} slot;

static slot *table;
static size_t table_size, table_used; /* used includes what was removed */
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

static slot *room(slot *in, size_t size, PyObject *dict)
{
    size_t i = place(dict, size);
    while (in[i].dict && in[i].dict != removed)
        i = (i + 1) & (size - 1);
    return &in[i];
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
        *room(bigger, size, table[i].dict) = table[i];
    }
    PyMem_RawFree(table);
    table = bigger;
    table_size = size;
    table_used = live;
    return 0;
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
        return -1; /* it has another owner: a channel can be in two maps */
    if ((table_used + 1) * 3 >= table_size * 2 && grow() < 0)
        return -1;
    if (PyDict_Watch(dict_watcher, dict) < 0) {
        PyErr_Clear();
        return -1;
    }
    slot *s = room(table, table_size, dict);
    table_used += !s->dict;
    *s = (slot){dict, (uintptr_t)owner | kind};
    return 0;
}

void ga_unwatch(PyObject *dict)
{
    slot *s = find(dict);
    if (!s)
        return;
    s->dict = removed;
    PyDict_Unwatch(dict_watcher, dict); /* fails only for what is not a dict or not our watcher */
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
        s->dict = removed;
    reports->dict[kind](owner, event, key, value);
    return 0;
}

static int on_class(PyTypeObject *type)
{
    if (!ga_forked) {
        reports->class(type);
        reports->touch();
    }
    return 0;
}

static int on_function(PyFunction_WatchEvent event, PyFunctionObject *function, PyObject *Py_UNUSED(value))
{
    if (event != PyFunction_EVENT_CREATE && event != PyFunction_EVENT_DESTROY && !ga_forked) {
        reports->function((PyObject *)function);
        reports->touch();
    }
    return 0;
}

/* No watcher reports `obj.__class__ = other`, but it is an audit event, and so is the first step of monitoring. */
static int on_audit(const char *event, PyObject *args, void *Py_UNUSED(data))
{
    hooked = 1;
    if (event[0] == 's' && event[1] == 'y' && !strcmp(event, "sys.monitoring.register_callback"))
        reports->monitored();
    if (event[0] != 'o' || strcmp(event, "object.__setattr__") || ga_forked || !PyTuple_Check(args) || PyTuple_GET_SIZE(args) != 3)
        return 0;
    PyObject *name = PyTuple_GET_ITEM(args, 1);
    if (PyInterpreterState_Get() != PyInterpreterState_Main())
        return 0; /* the hook is the process's, and another interpreter may have a GIL of its own */
    if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "__class__") == 0)
        reports->class_assigned(PyTuple_GET_ITEM(args, 0));
    return 0;
}

int ga_watch_setup(const ga_watch_reports *to)
{
    reports = to;
    /* There are eight of each kind. Without one for maps nothing would report that a map is gone. */
    if ((dict_watcher = PyDict_AddWatcher(on_dict)) < 0)
        return -1;
    if ((class_watcher = PyType_AddWatcher(on_class)) < 0 || (function_watcher = PyFunction_AddWatcher(on_function)) < 0)
        PyErr_Clear(); /* then every channel is asked in every pass */
    /* Another hook may refuse it, silently if it raises a RuntimeError. So see whether it is called. */
    if (PySys_AddAuditHook(on_audit, NULL) < 0 || PySys_Audit("goasyncore.watch", NULL) < 0)
        PyErr_Clear();
    if (!hooked)
        reports->monitored();
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

void ga_watch_trust(int level)
{
    ga_trusted = (function_watcher < 0 || !hooked) && level > 1 ? 1 : level;
}
