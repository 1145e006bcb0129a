//go:build gopy_binding

/* What a channel waits for, where that stays the same until something is told to have changed. Ours of the predicates are
 * evaluated here; others whose class has a plan of what they depend on are called once. Requires the GIL throughout. */
#include "plan.h"

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

/* Whether the instance has one of these attributes itself. */
static int hides(ga_channel *c, int first, int last)
{
    for (int i = first; i <= last; i++)
        if (PyDict_GetItemWithError(c->dict, ga_names[i]))
            return 1;
    return 0;
}

/* What became of a predicate. */
typedef enum {
    FAILED = -1, /* with an exception set */
    NO,
    YES,
    ASK, /* it has to be called in each pass */
    GONE /* and so is the channel */
} outcome;

/* The writable() of dispatcher_with_send and async_chat. Runs no Python code. */
static outcome evaluate(ga_channel *c, int queue)
{
    int connected = truth(attribute(c, N_CONNECTED)), any;
    PyObject *unsent = attribute(c, queue);
    if (connected < 0 || !unsent)
        return ASK;
    if (PyBytes_CheckExact(unsent))
        any = PyBytes_GET_SIZE(unsent) != 0;
    else if (PyUnicode_CheckExact(unsent))
        any = PyUnicode_GET_LENGTH(unsent) != 0;
    else {
        const Py_ssize_t *length = ga_length_of(unsent);
        int status = length ? ga_enter_sized(c, length, 1) : 0;
        if (status <= 0)
            return status < 0 ? (PyErr_NoMemory(), FAILED) : ASK;
        any = *length != 0;
    }
    return !connected || any ? YES : NO;
}

/* Calls it, if it returns the same until something is told to have changed. Lengths are noted before the call: what changes
 * during it shows in the next pass. */
static outcome call(ga_channel *c, int name)
{
    ga_mirror *m = c->mirror;
    ga_class *class = c->class;
    const ga_plan *plan = class->plans[name];
    if (m->traced)
        return ASK;
    if (ga_plan_answer(plan) >= 0)
        return ga_plan_answer(plan) ? YES : NO;
    int settles = ga_plan_settles(plan, c);
    if (settles <= 0)
        return settles < 0 ? (PyErr_NoMemory(), FAILED) : ASK;
    int32_t fd = c->fd;
    uint64_t order = c->order;
    PyObject *args[2] = {NULL, Py_NewRef(c->obj)}, *function = Py_NewRef(class->seen[name]);
    m->stats.asked++;
    PyObject *result = PyObject_Vectorcall(function, args + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_DECREF(function);
    int is = result ? PyObject_IsTrue(result) : -1;
    Py_XDECREF(result);
    Py_DECREF(args[1]);
    if (is < 0)
        return FAILED;
    ga_channel *now = ga_channel_at(m, fd);
    return now != c || c->order != order ? GONE : is ? YES : NO;
}

/* Of its class, which it may have to look at first. YES, FAILED or GONE. */
static outcome classify(ga_channel *c)
{
    PyTypeObject *type = Py_TYPE(c->obj);
    if (c->class && c->class->type == type)
        return YES;
    int32_t fd = c->fd;
    uint64_t order = c->order;
    ga_mirror *m = c->mirror;
    ga_class *class = ga_class_of(type);
    if (!class)
        return FAILED;
    if (ga_channel_at(m, fd) != c || c->order != order) { /* the class was looked at, and took the channel away */
        ga_class_release(class);
        return GONE;
    }
    if (c->class)
        ga_class_release(c->class);
    c->class = class;
    return YES;
}

static void watch(ga_channel *c)
{
    if (c->dict && c->odd && !ga_only_names(c->dict))
        ga_drop_dict(c);
    c->odd = 0;
    if (c->dict || ga_trusted < 2)
        return;
    PyObject *dict = ga_watchable_dict(c->obj);
    if (dict && ga_watch(dict, WATCH_CHANNEL, c) == 0) {
        c->dict = dict;
        c->renewed = 1; /* nobody was looking until now */
    }
    Py_XDECREF(dict); /* no reference is kept: replacing __dict__ must show as its end */
}

int ga_channel_look_at(ga_channel *c)
{
    c->changed = c->settled = c->direct = c->bare = 0;
    outcome came = classify(c);
    if (came != YES)
        return came == FAILED ? -1 : 0;
    watch(c);
    if (c->dict) {
        c->bare = !hides(c, N_HANDLE_READ_EVENT, N_HANDLE_WRITE);
        c->direct = c->class->direct && !hides(c, N_READABLE, N_WRITABLE);
    }
    ga_leave_sized(c);
    for (int i = N_READABLE; i <= N_WRITABLE && c->direct && c->class->direct; i++) {
        ga_rule rule = c->class->rules[i];
        came = rule == RULE_YES      ? YES
               : rule == RULE_SENDER ? evaluate(c, N_OUT_BUFFER)
               : rule == RULE_CHAT   ? evaluate(c, N_PRODUCER_FIFO)
               : rule == RULE_PLAN   ? call(c, i)
                                     : ASK;
        if (came == GONE)
            return 0;
        if (came == FAILED)
            return -1;
        if (came == ASK || c->changed)
            continue;
        c->settled |= (uint8_t)(1 << i);
        c->answers = (uint8_t)((c->answers & ~(1 << i)) | (came == YES ? 1 << i : 0));
    }
    int accepting = c->dict && !c->changed ? truth(attribute(c, N_ACCEPTING)) : -1;
    if (c->changed)
        ga_leave_sized(c); /* what it notes may not be there any more */
    if (c->settled != 3 || accepting < 0 || !c->direct)
        return ga_enter_own(c) < 0 ? (PyErr_NoMemory(), -1) : 0;
    ga_leave_own(c);
    c->want = (c->answers & 1 << N_READABLE ? GA_READ : 0) | (c->answers & 1 << N_WRITABLE && !accepting ? GA_WRITE : 0);
    return ga_report(c) < 0 ? (PyErr_NoMemory(), -1) : 0;
}
