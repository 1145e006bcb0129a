//go:build gopy_binding

#include "classes.h"

#define MOST_LOOKS 100 /* in one pass, at classes that change while they are looked at */

static ga_class *stale, *compared;
static uint64_t verified_epoch; /* ga_plan_epoch when the plans were last looked at */

/* The class's own attributes decide only if reading them runs no code of the program's. */
static int is_plain(PyObject *value)
{
    return !value || !Py_TYPE(value)->tp_descr_get;
}

/* Whether calling it with the instance is what calling the attribute would be. */
static int is_method(PyObject *value)
{
    return value && PyType_HasFeature(Py_TYPE(value), Py_TPFLAGS_METHOD_DESCRIPTOR);
}

/* Whether the order of the bases is the program's to choose: CPython tells no watcher when such a class gets other ones. */
static int has_own_order(PyTypeObject *type)
{
    static PyObject *name;
    if (Py_IS_TYPE(type, &PyType_Type))
        return 0;
    if (!name && !(name = PyUnicode_InternFromString("mro"))) {
        PyErr_Clear();
        return 1;
    }
    return _PyType_Lookup(Py_TYPE(type), name) != _PyType_Lookup(&PyType_Type, name);
}

PyObject *ga_class_lookup(PyTypeObject *type, int name)
{
    return _PyType_Lookup(type, ga_names[name]);
}

/* -- what has to be looked at, and what is known ------------------------------------------------ */

void ga_class_make_stale(ga_class *c)
{
    if (c->stale || !c->watched)
        return;
    c->stale = 1;
    c->next_stale = stale;
    stale = c;
}

void ga_class_stop_comparing(ga_class *c)
{
    if (!c->compared_at)
        return;
    *c->compared_at = c->next_compared;
    if (c->next_compared)
        c->next_compared->compared_at = c->compared_at;
    c->compared_at = NULL;
}

void ga_class_know_nothing(ga_class *c, PyObject *held[2])
{
    for (int i = 0; i < 2; i++) {
        held[i] = c->plans[i] ? ga_plan_end(c->plans[i]) : NULL;
        c->plans[i] = NULL;
        c->rules[i] = RULE_ASK;
    }
    c->direct = c->direct_read = c->direct_write = 0;
    ga_class_stop_comparing(c);
}

void ga_class_start_comparing(ga_class *c)
{
    int any = 0;
    for (int i = 0; i < 2; i++)
        any |= c->plans[i] && ga_plan_is_compared(c->plans[i]);
    if (!any || c->compared_at)
        return;
    c->next_compared = compared;
    c->compared_at = &compared;
    if (compared)
        compared->compared_at = &c->next_compared;
    compared = c;
}

/* What follows from what the class has. Runs Python code. 0, or -1 with an exception set. */
static int judge(ga_class *c, int replacing_shows)
{
    PyTypeObject *type = c->type;
    PyObject **seen = c->seen;
    if (ga_trusted < 2 || type->tp_getattro != PyObject_GenericGetAttr || !type->tp_version_tag || !replacing_shows || has_own_order(type))
        return 0;
    c->direct = is_method(seen[N_READABLE]) && is_method(seen[N_WRITABLE]);
    if (is_plain(seen[N_ACCEPTING]) && is_plain(seen[N_CONNECTED])) {
        c->direct_read = seen[N_HANDLE_READ_EVENT] == ga_tools.handle_read_event && is_method(seen[N_HANDLE_READ]);
        c->direct_write = seen[N_HANDLE_WRITE_EVENT] == ga_tools.handle_write_event && is_method(seen[N_HANDLE_WRITE]);
    }
    for (int i = N_ACCEPTING; i <= N_PRODUCER_FIFO; i++)
        if (!is_plain(seen[i]))
            return 0;
    PyObject *rules = PyObject_CallOneArg(ga_tools.rules_of, (PyObject *)type), *dependencies[2], *answers[2];
    int numbers[2], again = 0;
    int status = rules && PyArg_ParseTuple(rules, "(iOO)(iOO)", &numbers[0], &dependencies[0], &answers[0], &numbers[1], &dependencies[1],
                                           &answers[1])
                     ? 0
                     : -1;
    for (int i = 0; status == 0 && i < 2 && !c->stale; i++) {
        if (numbers[i] == RULE_PLAN && !(c->plans[i] = ga_plan_made(type, dependencies[i], answers[i], &again))) {
            status = PyErr_Occurred() ? -1 : 0; /* else it has to be asked */
            continue;
        }
        c->rules[i] = (ga_rule)numbers[i];
    }
    Py_XDECREF(rules);
    ga_class_start_comparing(c);
    if (again)
        ga_class_make_stale(c);
    return status;
}

static int plans_hold(ga_class *c)
{
    for (int i = 0; i < 2; i++)
        if (c->plans[i] && !ga_plan_holds(c->plans[i], c->type))
            return 0;
    return 1;
}

/* Looks at a class that is watched and not in the list of stale ones. It is in that list again, and nothing is known of
 * it, where that failed or the class changed meanwhile. Runs Python code. 0, or -1 with an exception set. */
static int look(ga_class *c)
{
    PyTypeObject *type = c->type;
    int replacing_shows = ga_replacing_shows(type); /* first: it may take the class's version away */
    PyObject *seen[N_COUNT], *held[4] = {NULL};
    int different = c->renewed || c->getattro != type->tp_getattro || !plans_hold(c);
    for (int i = 0; i < N_COUNT; i++) {
        seen[i] = Py_XNewRef(ga_class_lookup(type, i));
        different |= seen[i] != c->seen[i];
    }
    int status = 0;
    if (different) {
        c->renewed = 0;
        c->getattro = type->tp_getattro;
        ga_mirror_class_changed(c); /* before the old values go: a channel may have borrowed its queue from them */
        for (int i = 0; i < N_COUNT; i++) {
            PyObject *before = c->seen[i];
            c->seen[i] = seen[i];
            seen[i] = before;
        }
        ga_class_know_nothing(c, held);
        c->users++;
        status = judge(c, replacing_shows);
        c->users--;
        if (status < 0 || c->stale || !c->watched) {
            ga_class_know_nothing(c, held + 2);
            c->renewed = 1;
            ga_class_make_stale(c);
        }
    }
    PyObject *exc = PyErr_GetRaisedException();
    for (int i = 0; i < N_COUNT; i++)
        Py_XDECREF(seen[i]);
    for (int i = 0; i < 4; i++)
        Py_XDECREF(held[i]);
    PyErr_SetRaisedException(exc);
    return status;
}

void ga_class_renew(ga_class *c)
{
    c->renewed = 1;
    ga_class_make_stale(c);
}

/* Finds those of which something changed that no watcher of theirs tells. */
static void compare(void)
{
    for (ga_class *c = compared; c; c = c->next_compared)
        for (int i = 0; i < 2; i++)
            if (c->plans[i] && !ga_plan_still_holds(c->plans[i]))
                ga_class_renew(c);
    if (verified_epoch == ga_plan_epoch)
        return;
    verified_epoch = ga_plan_epoch;
    for (ga_class *c = ga_class_after(NULL); c; c = ga_class_after(c))
        if (c->watched && !plans_hold(c))
            ga_class_renew(c);
}

int ga_classes_refresh(void)
{
    compare();
    for (int looks = 0; stale && looks < MOST_LOOKS; looks++) {
        ga_class *c = stale;
        stale = c->next_stale;
        c->stale = 0;
        if (c->users && look(c) < 0)
            return -1;
    }
    return 0;
}

void ga_class_unstale(ga_class *c)
{
    for (ga_class **at = &stale; c->stale && *at; at = &(*at)->next_stale)
        if (*at == c) {
            *at = c->next_stale;
            break;
        }
    c->stale = 0;
}

void ga_class_changed(PyTypeObject *type)
{
    ga_class *c = ga_class_found(type);
    if (c)
        ga_class_make_stale(c);
}

void ga_function_changed(PyObject *function)
{
    ga_plan_epoch++;
    for (ga_class *c = ga_class_after(NULL); c; c = ga_class_after(c))
        if (c->watched && ((c->plans[0] && ga_plan_calls(c->plans[0], function)) || (c->plans[1] && ga_plan_calls(c->plans[1], function)) ||
                           c->seen[N_READABLE] == function || c->seen[N_WRITABLE] == function))
            ga_class_renew(c);
}
