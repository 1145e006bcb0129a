/* What is known of one class of channels. */
#include "class_facts.h"
#include "calls.h"
#include "instance_dict.h"
#include "watch.h"

static ga_class *stale;
static void (*report)(ga_class *);

void ga_class_facts_setup(void (*changed)(ga_class *))
{
    report = changed;
}

/* Whether reading the class's attribute runs no code of the program. */
static int is_plain(PyObject *value)
{
    return !value || !Py_TYPE(value)->tp_descr_get;
}

/* Whether calling it with the instance is what calling the attribute would be. */
static int is_method(PyObject *value)
{
    return value && PyType_HasFeature(Py_TYPE(value), Py_TPFLAGS_METHOD_DESCRIPTOR);
}

/* Whether the metaclass orders the bases itself: CPython does not report that such a class gets other bases. */
static int has_own_order(PyTypeObject *type)
{
    return !Py_IS_TYPE(type, &PyType_Type) && _PyType_Lookup(Py_TYPE(type), NAME(mro)) != _PyType_Lookup(&PyType_Type, NAME(mro));
}

PyObject *ga_class_lookup(PyTypeObject *type, PyObject *seen[N_DECIDING])
{
    PyObject *held = PyList_New(N_DECIDING + 1);
    for (int i = 0; held && i < N_DECIDING; i++) {
        seen[i] = _PyType_Lookup(type, ga_names[i]);
        PyList_SET_ITEM(held, i, Py_NewRef(seen[i] ? seen[i] : Py_None));
    }
    if (held)
        PyList_SET_ITEM(held, N_DECIDING, Py_NewRef((PyObject *)type));
    return held;
}

void ga_class_make_stale(ga_class *c)
{
    if (c->stale || !c->watched)
        return;
    c->stale = 1;
    c->next_stale = stale;
    stale = c;
}

void ga_class_know_nothing(ga_class *c)
{
    for (int i = 0; i < 2; i++) {
        PyMem_RawFree(c->plans[i]);
        c->plans[i] = NULL;
        c->rules[i] = RULE_ASK;
    }
    c->direct = c->direct_read = c->direct_accept = c->direct_write = 0;
}

/* Concludes from what the class has. Runs Python code. */
static int judge(ga_class *c, int replacing_shows)
{
    PyTypeObject *type = c->type;
    PyObject **seen = c->seen;
    if (ga_trusted < 2 || type->tp_getattro != PyObject_GenericGetAttr || !type->tp_version_tag || !replacing_shows || has_own_order(type))
        return 0;
    c->direct = is_method(seen[N_readable]) && is_method(seen[N_writable]);
    if (is_plain(seen[N_accepting]) && is_plain(seen[N_connected])) {
        int reads = ga_untouched(seen[N_handle_read_event], M_READ_EVENT);
        c->direct_read = reads && is_method(seen[N_handle_read]);
        c->direct_accept = reads && is_method(seen[N_handle_accept]);
        c->direct_write = ga_untouched(seen[N_handle_write_event], M_WRITE_EVENT) && is_method(seen[N_handle_write]);
    }
    for (int i = N_accepting; i <= N_producer_fifo; i++)
        if (!is_plain(seen[i]))
            return 0;
    PyObject *rules = PyObject_CallOneArg(ga_tools.rules_of, (PyObject *)type), *dependencies[2], *results[2];
    int numbers[2], again = 0;
    int status = rules && PyArg_ParseTuple(rules, "(iOO)(iOO)", &numbers[0], &dependencies[0], &results[0], &numbers[1], &dependencies[1],
                                           &results[1])
                     ? 0
                     : -1;
    for (int i = 0; status == 0 && i < 2 && c->held && !c->stale; i++) {
        if (numbers[i] == RULE_PLAN && !(c->plans[i] = ga_plan_made(type, dependencies[i], results[i], c->held, &again))) {
            status = PyErr_Occurred() ? -1 : 0; /* else it must be asked */
            continue;
        }
        c->rules[i] = (ga_rule)numbers[i];
    }
    Py_XDECREF(rules);
    if (again)
        ga_class_make_stale(c);
    return status;
}

int ga_class_depends_on(const ga_class *c, PyObject *function)
{
    for (int i = 0; i < N_DECIDING; i++)
        if (c->seen[i] == function)
            return 1;
    return (c->plans[0] && ga_plan_calls(c->plans[0], function)) || (c->plans[1] && ga_plan_calls(c->plans[1], function));
}

int ga_class_plans_hold(const ga_class *c, int all)
{
    for (int i = 0; i < 2; i++)
        if (c->plans[i] && !ga_plan_holds(c->plans[i], c->type, all))
            return 0;
    return 1;
}

int ga_class_look_at(ga_class *c)
{
    PyTypeObject *type = c->type;
    int replacing_shows = ga_replacing_shows(type);
    PyObject *seen[N_DECIDING], *held = ga_class_lookup(type, seen);
    if (!held) {
        ga_class_renew(c);
        return -1;
    }
    int status = 0;
    if (c->renewed || c->getattro != type->tp_getattro || memcmp(seen, c->seen, sizeof seen) || !ga_class_plans_hold(c, 1)) {
        c->renewed = 0;
        c->getattro = type->tp_getattro;
        report(c); /* before the old values go: a channel may have borrowed its queue from them */
        memcpy(c->seen, seen, sizeof seen);
        PyObject *before = c->held;
        c->held = held;
        held = before;
        ga_class_know_nothing(c);
        status = judge(c, replacing_shows);
        if (status < 0 || c->stale || !c->watched) {
            ga_class_know_nothing(c);
            ga_class_renew(c);
        }
    }
    PyObject *exc = PyErr_GetRaisedException();
    Py_DECREF(held);
    PyErr_SetRaisedException(exc);
    return status;
}

void ga_class_renew(ga_class *c)
{
    c->renewed = 1;
    ga_class_make_stale(c);
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

ga_class *ga_class_next_stale(void)
{
    ga_class *c = stale;
    if (c) {
        stale = c->next_stale;
        c->stale = 0;
    }
    return c;
}
