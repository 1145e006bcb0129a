/* Asks a channel: calls its predicates. */
#include "asking.h"
#include "predicates.h"

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

/* A predicate returned that, and so it will until something changes. */
static void note_result(ga_channel *c, int name, int is)
{
    if (c->settling & 1 << name && ga_is_direct(c))
        ga_predicate_settled(c, name, is);
}

int ga_ask(ga_channel *c)
{
    PyObject *obj = c->obj;
    ga_mirror *m = c->mirror;
    int32_t fd = c->fd;
    uint64_t order = c->order, departures = m->departures;
    int readable = ask_one(m, ga_is_direct(c) ? c : NULL, obj, N_readable);
    if (readable < 0)
        return -1;
    c = ga_found_again(m, c, fd, departures);
    int still = c && c->order == order && c->obj == obj && ga_is_direct(c);
    if (still)
        note_result(c, N_readable, readable);
    int writable = ask_one(m, still ? c : NULL, obj, N_writable);
    if (writable < 0)
        return -1;
    c = still ? ga_found_again(m, c, fd, departures) : NULL;
    if (c && c->order == order)
        note_result(c, N_writable, writable);
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
