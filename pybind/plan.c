/* What a predicate depends on, as _predicates.py found it. */
#include "plan.h"
#include "instance_dict.h"
#include "watch.h"

#define DEPTH 3 /* of tuples in tuples */

uint64_t ga_plan_epoch;
int ga_plans_with_cells;

/* Borrowed: what `name` is of the classes that come after `anchor`. */
static PyObject *lookup_after(PyTypeObject *type, PyObject *anchor, PyObject *name)
{
    PyObject *mro = type->tp_mro, *found = NULL;
    Py_ssize_t i = 0, count = mro ? PyTuple_GET_SIZE(mro) : 0;
    while (i < count && PyTuple_GET_ITEM(mro, i) != anchor)
        i++;
    for (i++; i < count && !found; i++) {
        PyObject *own = PyType_GetDict((PyTypeObject *)PyTuple_GET_ITEM(mro, i));
        found = own ? PyDict_GetItemWithError(own, name) : NULL;
        Py_XDECREF(own);
    }
    return found;
}

/* Borrowed: what it depends on now, NULL for nothing. */
static PyObject *value_of(const ga_dependency *d, PyTypeObject *type)
{
    PyObject *value = NULL;
    switch (d->kind) {
    case DEP_ATTRIBUTE:
    case DEP_METHOD:
        return _PyType_Lookup(type, d->name);
    case DEP_AFTER:
        value = lookup_after(type, d->where, d->name);
        break;
    case DEP_OF:
        return _PyType_Lookup((PyTypeObject *)d->where, d->name);
    case DEP_GLOBAL:
        value = PyDict_GetItemWithError(d->where, d->name);
        if (!value && d->beyond)
            value = PyDict_GetItemWithError(d->beyond, d->name);
        break;
    case DEP_CELL:
        value = PyCell_GET(d->where);
        break;
    case DEP_FUNCTION:
        break;
    }
    PyErr_Clear();
    return value;
}

/* The names of globals that plans depend on, several to a bit: a program that counts in another global should not cause
 * comparisons. */
static uint64_t global_names;

static uint64_t bit_of(PyObject *name)
{
    return (uint64_t)1 << (((uintptr_t)name >> 4 ^ (uintptr_t)name >> 10) & 63);
}

int ga_plan_global_changed(PyDict_WatchEvent event, PyObject *key)
{
    if (event <= PyDict_EVENT_DELETED && key && PyUnicode_CheckExact(key) && PyUnicode_CHECK_INTERNED(key) && !(global_names & bit_of(key)))
        return 0;
    ga_plan_epoch++;
    return 1;
}

/* Whether changes of the global were seen before: 1, or 0 if they are from now on; -1 without an exception if they cannot be. */
static int see_changes(PyObject *dict, PyObject *name)
{
    static char owner[8] __attribute__((aligned(8)));
    int before = (global_names & bit_of(name)) != 0;
    global_names |= bit_of(name);
    if (ga_watched(dict, WATCH_NAMESPACE) || ga_watched(dict, WATCH_GLOBALS))
        return before;
    return ga_only_names(dict) && ga_watch(dict, WATCH_GLOBALS, owner) == 0 ? 0 : -1;
}

int ga_plan_hold(ga_plan *plan, PyTypeObject *type, PyObject *held)
{
    for (int i = 0; i < plan->count; i++) {
        ga_dependency *d = &plan->deps[i];
        d->value = value_of(d, type);
        PyObject *found[] = {d->where, d->beyond, d->name, d->value};
        for (int j = 0; j < 4; j++)
            if (found[j] && PyList_Append(held, found[j]) < 0)
                return -1;
    }
    return 0;
}

/* Reads the dependencies, and has their changes reported. 1, 0 if they would not be, or -1 with an exception set. */
static int parse(ga_plan *plan, PyObject *dependencies, int *again)
{
    for (int i = 0; i < plan->count; i++) {
        ga_dependency *d = &plan->deps[i];
        int kind, counts;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(dependencies, i), "iOOOi", &kind, &d->where, &d->beyond, &d->name, &counts))
            return -1;
        d->kind = (ga_dep_kind)kind;
        d->counts = (ga_counts)counts;
        if (d->beyond == Py_None)
            d->beyond = NULL;
        ga_plans_with_cells |= d->kind == DEP_CELL;
        if (d->kind != DEP_GLOBAL)
            continue;
        int seen = see_changes(d->where, d->name), seen_beyond = d->beyond ? see_changes(d->beyond, d->name) : 1;
        if (seen < 0 || seen_beyond < 0)
            return 0;
        *again |= !seen || !seen_beyond;
    }
    return 1;
}

ga_plan *ga_plan_made(PyTypeObject *type, PyObject *dependencies, PyObject *result, PyObject *held, int *again)
{
    Py_ssize_t count = PyTuple_Check(dependencies) ? PyTuple_GET_SIZE(dependencies) : 0;
    ga_plan *plan = PyMem_RawCalloc(1, sizeof *plan + (size_t)count * sizeof *plan->deps);
    if (!plan) {
        PyErr_NoMemory();
        return NULL;
    }
    plan->count = (int)count;
    plan->result = result == Py_None ? -1 : result == Py_True;
    int status = parse(plan, dependencies, again);
    if (status > 0 && ga_plan_hold(plan, type, held) == 0)
        return plan;
    PyMem_RawFree(plan);
    return NULL;
}

int ga_plan_holds(const ga_plan *plan, PyTypeObject *type, int all)
{
    for (int i = 0; i < plan->count; i++)
        if ((all || plan->deps[i].kind == DEP_CELL) && plan->deps[i].value != value_of(&plan->deps[i], type))
            return 0;
    return 1;
}

int ga_plan_calls(const ga_plan *plan, PyObject *function)
{
    for (int i = 0; i < plan->count; i++)
        if (plan->deps[i].kind == DEP_FUNCTION && plan->deps[i].where == function)
            return 1;
    return 0;
}

int ga_plan_reads(const ga_plan *plan, PyObject *name)
{
    for (int i = 0; i < plan->count; i++)
        if (plan->deps[i].name == name && plan->deps[i].kind <= DEP_METHOD)
            return 1;
    return 0;
}

/* -- for a channel ----------------------------------------------------------------------------- */

/* Whether another value is always another object. */
static int is_simple(PyObject *value, int depth)
{
    if (value == Py_None || PyBool_Check(value) || PyLong_CheckExact(value) || PyUnicode_CheckExact(value) || PyBytes_CheckExact(value) ||
        PyFloat_CheckExact(value) || PyComplex_CheckExact(value) || value == Py_Ellipsis)
        return 1;
    if (PyTuple_CheckExact(value)) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(value); i++)
            if (!depth || !is_simple(PyTuple_GET_ITEM(value, i), depth - 1))
                return 0;
        return 1;
    }
    if (!PyFrozenSet_CheckExact(value) || !depth)
        return 0;
    PyObject *items = PyObject_GetIter(value), *item;
    int simple = items != NULL;
    while (simple && (item = PyIter_Next(items))) {
        simple = is_simple(item, depth - 1);
        Py_DECREF(item);
    }
    Py_XDECREF(items);
    simple = simple && !PyErr_Occurred();
    PyErr_Clear();
    return simple;
}

/* Whether its truth never changes. */
static int is_always_true(PyObject *value)
{
    return PyFunction_Check(value) || PyCFunction_CheckExact(value) || PyMethod_Check(value) || Py_IS_TYPE(value, &PyType_Type);
}

int ga_plan_settles(const ga_plan *plan, PyObject *dict, const Py_ssize_t *lengths[GA_MOST_LENGTHS], int *count)
{
    *count = 0;
    for (int i = 0; i < plan->count; i++) {
        const ga_dependency *d = &plan->deps[i];
        if (d->kind > DEP_METHOD)
            continue;
        PyObject *value = PyDict_GetItemWithError(dict, d->name);
        if (d->kind == DEP_METHOD) {
            if (value)
                return 0;
            continue;
        }
        if (!value && !(value = d->value))
            continue; /* it was not read; a watcher reports when it appears */
        if (d->counts == COUNTS_IDENTITY || is_simple(value, DEPTH))
            continue;
        const Py_ssize_t *length = d->counts == COUNTS_TRUTH ? ga_length_of(value) : NULL;
        if (length) {
            if (*count == GA_MOST_LENGTHS)
                return 0;
            lengths[(*count)++] = length;
        } else if (d->counts != COUNTS_TRUTH || !is_always_true(value))
            return 0;
    }
    return 1;
}
