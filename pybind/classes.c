//go:build gopy_binding

/* What is known of the channels' classes. Requires the GIL throughout. */
#include "internal.h"

static ga_class *classes;

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

/* Borrowed. The lookup gives the class a version again, without which its watcher stays silent. */
static PyObject *lookup(PyTypeObject *type, int name)
{
    return _PyType_Lookup(type, ga_names[name]);
}

/* Looks at the class; says in *changed whether anything that matters to its channels has changed.
 * Runs Python code. 0, or -1 with an exception set. */
static int look(ga_class *c, int *changed)
{
    PyTypeObject *type = c->type;
    int replacing_shows = ga_replacing_shows(type); /* first: it may take the class's version away */
    int different = c->getattro != type->tp_getattro || c->stale;
    c->stale = 0;
    c->getattro = type->tp_getattro;
    for (int i = 0; i < N_COUNT; i++) {
        PyObject *now = lookup(type, i);
        if (now != c->seen[i]) {
            Py_XINCREF(now);
            Py_XSETREF(c->seen[i], now);
            different = 1;
        }
    }
    if (changed)
        *changed = different;
    if (changed && !different)
        return 0;
    c->rules[N_READABLE] = c->rules[N_WRITABLE] = RULE_ASK;
    c->codes[N_READABLE] = c->codes[N_WRITABLE] = NULL;
    c->direct = c->direct_read = c->direct_write = 0;
    if (ga_trusted < 2 || type->tp_getattro != PyObject_GenericGetAttr || !type->tp_version_tag || !replacing_shows)
        return 0;
    c->direct = is_method(c->seen[N_READABLE]) && is_method(c->seen[N_WRITABLE]);
    if (is_plain(c->seen[N_ACCEPTING]) && is_plain(c->seen[N_CONNECTED])) {
        c->direct_read = c->seen[N_HANDLE_READ_EVENT] == ga_tools.handle_read_event && is_method(c->seen[N_HANDLE_READ]);
        c->direct_write = c->seen[N_HANDLE_WRITE_EVENT] == ga_tools.handle_write_event && is_method(c->seen[N_HANDLE_WRITE]);
    }
    for (int i = N_ACCEPTING; i <= N_PRODUCER_FIFO; i++)
        if (!is_plain(c->seen[i]))
            return 0;
    PyObject *rules = PyObject_CallOneArg(ga_tools.rules_of, (PyObject *)type);
    int numbers[2];
    int parsed = rules && PyArg_ParseTuple(rules, "ii", &numbers[N_READABLE], &numbers[N_WRITABLE]);
    Py_XDECREF(rules);
    if (!parsed)
        return -1;
    for (int i = N_READABLE; i <= N_WRITABLE; i++) {
        c->rules[i] = (ga_rule)numbers[i];
        if (c->rules[i] != RULE_ASK && c->seen[i] && PyFunction_Check(c->seen[i]))
            c->codes[i] = PyFunction_GET_CODE(c->seen[i]);
    }
    return 0;
}

ga_class *ga_class_of(PyTypeObject *type)
{
    for (ga_class **at = &classes; *at; at = &(*at)->next) {
        ga_class *c = *at;
        if (c->type != type)
            continue;
        *at = c->next; /* to the front: the next channel is likely of the same class */
        c->next = classes;
        classes = c;
        c->users++;
        return c;
    }
    ga_class *c = PyMem_RawCalloc(1, sizeof *c);
    if (!c) {
        PyErr_NoMemory();
        return NULL;
    }
    c->type = (PyTypeObject *)Py_NewRef(type);
    c->users = 1;
    c->next = classes;
    classes = c;
    if (ga_watch_class(type) == 0 && look(c, NULL) < 0) { /* unwatched, it has to be asked */
        ga_class_release(c);
        return NULL;
    }
    return c;
}

/* Runs no Python code: those without users go at the end of the run. */
void ga_class_release(ga_class *c)
{
    c->users--;
}

/* Drops the classes that no channel is an instance of any more. */
void ga_classes_drop_unused(void)
{
    for (ga_class **at = &classes; *at;) {
        ga_class *c = *at;
        if (c->users) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        if (c->type)
            ga_unwatch_class(c->type);
        PyObject *held[N_COUNT + 1];
        memcpy(held, c->seen, sizeof c->seen);
        held[N_COUNT] = (PyObject *)c->type;
        PyMem_RawFree(c);
        for (int i = 0; i <= N_COUNT; i++)
            Py_XDECREF(held[i]);
        at = &classes; /* that may have run anything */
    }
}

void ga_classes_compare_codes(void)
{
    for (ga_class *c = classes; c; c = c->next)
        for (int i = N_READABLE; i <= N_WRITABLE; i++)
            if (c->codes[i] && PyFunction_GET_CODE(c->seen[i]) != c->codes[i]) {
                c->codes[i] = NULL;
                c->stale = 1;
                ga_class_epoch++;
            }
}

/* Those that channels point to stay, as classes of which nothing is known. */
void ga_classes_end(void)
{
    for (ga_class *c = classes; c; c = c->next) {
        c->direct = c->direct_read = c->direct_write = 0;
        c->rules[N_READABLE] = c->rules[N_WRITABLE] = RULE_ASK;
        c->codes[N_READABLE] = c->codes[N_WRITABLE] = NULL;
    }
    for (ga_class *c = classes; c;) {
        int i = 0;
        while (i < N_COUNT && !c->seen[i])
            i++;
        if (i == N_COUNT && !c->type) {
            c = c->next;
            continue;
        }
        if (i < N_COUNT)
            Py_CLEAR(c->seen[i]);
        else {
            ga_unwatch_class(c->type);
            Py_CLEAR(c->type);
        }
        c = classes; /* that may have run anything */
    }
}

int ga_classes_refresh(void)
{
    ga_classes_drop_unused();
    for (ga_class *c = classes; c;) {
        int changed = 0;
        if (c->epoch == ga_class_epoch) {
            c = c->next;
            continue;
        }
        c->epoch = ga_class_epoch;
        c->users++;
        int status = look(c, &changed);
        if (status == 0 && changed)
            ga_mirror_class_changed(c);
        c->users--;
        if (status < 0)
            return -1;
        c = classes; /* another thread may have put the list in another order */
    }
    return 0;
}

PyObject *ga_class_default(ga_class *c, int name)
{
    return c->seen[name];
}
