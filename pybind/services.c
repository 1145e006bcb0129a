//go:build gopy_binding

/* What goasyncore offers beside the loop, as far as it takes the mirror: calls put off until later, maps that an
 * asyncio loop attends, counts, and a watch on slow handlers. Functions for _native.py, put into the extension's
 * module beside gopy's: they take the map itself, and never leave for Go. Requires the GIL throughout. */
#include "internal.h"

#include <time.h>

/* The clock that time.monotonic() reads. */
double ga_now(void)
{
    struct timespec now;
#ifdef __APPLE__
    clock_gettime(CLOCK_UPTIME_RAW, &now);
#else
    clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void set_due(ga_mirror *m, double when)
{
    __atomic_store(&m->due, &when, __ATOMIC_SEQ_CST);
    __atomic_store_n(&m->go.timed, when < Py_HUGE_VAL, __ATOMIC_SEQ_CST);
}

double ga_due_in(ga_map *go)
{
    double when;
    __atomic_load(&((ga_mirror *)go)->due, &when, __ATOMIC_SEQ_CST);
    if (!(when < Py_HUGE_VAL))
        return -1;
    double left = when - ga_now();
    return left > 0 ? left : 0;
}

int ga_call_due(ga_mirror *m)
{
    if (ga_now() < m->due)
        return 0;
    set_due(m, Py_HUGE_VAL); /* what is called says when the next is */
    PyObject *map = Py_NewRef(m->map), *result = PyObject_CallOneArg(ga_tools.run_due, map);
    Py_DECREF(map);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* The mirror of a map that has one already, or NULL. */
static ga_mirror *known(PyObject *map)
{
    return ga_forked || !PyDict_CheckExact(map) ? NULL : ga_watched(map, WATCH_MAP);
}

static PyObject *s_due(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *map;
    double when;
    if (!PyArg_ParseTuple(args, "O!d", &PyDict_Type, &map, &when))
        return NULL;
    /* Where there is no mirror yet, a time that does not come makes none. */
    ga_mirror *m = known(map);
    if (!m && !ga_forked && when < Py_HUGE_VAL && PyDict_CheckExact(map) && !(m = ga_mirror_of(map)) && PyErr_Occurred())
        return NULL;
    if (m) {
        int sooner = when < m->due;
        set_due(m, when);
        if (sooner && m->waiting) {
            m->stats.wakes += !m->woken;
            m->woken = 1;
            ga_own_end_wait(m);
        }
    }
    Py_RETURN_NONE;
}

static PyObject *s_touch(PyObject *self, PyObject *map)
{
    (void)self;
    ga_mirror *m = known(map);
    if (m)
        ga_mirror_touch(m);
    Py_RETURN_NONE;
}

static PyObject *s_unsettle(PyObject *self, PyObject *map)
{
    (void)self;
    ga_mirror *m = known(map);
    if (m) {
        ga_attended -= m->attendant != 0;
        m->attendant = m->settled = 0;
    }
    Py_RETURN_NONE;
}

static PyObject *s_outlook(PyObject *self, PyObject *map)
{
    (void)self;
    ga_mirror *m = known(map);
    if (!m || ga_ended || m->go.status != GA_SETTLED || m->go.descriptor < 0)
        Py_RETURN_NONE;
    return Py_BuildValue("idn", m->go.descriptor, m->go.again, (Py_ssize_t)m->own_count + m->lengths);
}

static PyObject *s_stats(PyObject *self, PyObject *map)
{
    (void)self;
    ga_mirror *m = known(map);
    if (!m)
        Py_RETURN_NONE;
    return Py_BuildValue("KKKKK", (unsigned long long)m->stats.passes, (unsigned long long)m->stats.events,
                         (unsigned long long)m->stats.asked, (unsigned long long)m->stats.changes, (unsigned long long)m->stats.wakes);
}

static PyObject *s_watch(PyObject *self, PyObject *call)
{
    (void)self;
    Py_XSETREF(ga_tools.watch, call == Py_None ? NULL : Py_NewRef(call));
    Py_RETURN_NONE;
}

int ga_services_setup(PyObject *module)
{
    static PyMethodDef functions[] = {
        {"due", s_due, METH_VARARGS, "due(map, when)\n--\n\nWhen the loop over the map is to call run_due(map), by time.monotonic()."},
        {"touch", s_touch, METH_O, "touch(map)\n--\n\nAfter a change that nothing else tells of: have the settled map served."},
        {"unsettle", s_unsettle, METH_O, "unsettle(map)\n--\n\nNobody waits for the descriptor of outlook(map) any more."},
        {"outlook", s_outlook, METH_O,
         "outlook(map)\n--\n\nAfter a settled run: the descriptor that tells when to make the next, after how many seconds to make it\n"
         "anyway (below 0: never), and how many channels have predicates of their own. None if the run did not settle."},
        {"stats", s_stats, METH_O,
         "stats(map)\n--\n\nPasses, events, predicates asked, interest changes, wake-ups; None if no run was over the map."},
        {"watch", s_watch, METH_O, "watch(call)\n--\n\nHave call(channel, name) call the handlers; None ends that."},
        {0},
    };
    return PyModule_AddFunctions(module, functions);
}
