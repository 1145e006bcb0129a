/* The extension's functions that do not go through gopy: run(), and what asks the mirror or reports to it. */
#include "functions.h"
#include "crossing.h"
#include "instance_dict.h"
#include "run.h"
#include "short_run.h"
#include "watch.h"

#include <math.h>

#define LONGEST 2e6 /* seconds that both select and poll accept */

/* The mirror of a map that has one already, or NULL. */
static ga_mirror *known(PyObject *map)
{
    return ga_forked || !PyDict_CheckExact(map) ? NULL : ga_watched(map, WATCH_MAP);
}

static PyObject *f_due(PyObject *Py_UNUSED(self), PyObject *args)
{
    PyObject *map;
    double when;
    if (!PyArg_ParseTuple(args, "O!d", &PyDict_Type, &map, &when))
        return NULL;
    /* A mirror is made if there is a time. */
    ga_mirror *m = known(map);
    if (!m && !ga_forked && when < Py_HUGE_VAL && PyDict_CheckExact(map) && !(m = ga_mirror_of(map)) && PyErr_Occurred())
        return NULL;
    if (m) {
        int sooner = when < m->due;
        ga_run_set_due(m, when);
        if (sooner && m->waiting) {
            m->stats.wakes += !m->woken;
            m->woken = 1;
            ga_waker_end_wait(&m->waker);
        }
    }
    Py_RETURN_NONE;
}

static PyObject *f_touch(PyObject *Py_UNUSED(self), PyObject *map)
{
    ga_mirror *m = known(map);
    if (m)
        ga_mirror_touch(m);
    Py_RETURN_NONE;
}

static PyObject *f_unsettle(PyObject *Py_UNUSED(self), PyObject *map)
{
    ga_mirror *m = known(map);
    if (m) {
        ga_attended -= m->attendant != 0;
        m->attendant = m->settled = 0;
    }
    Py_RETURN_NONE;
}

static PyObject *f_outlook(PyObject *Py_UNUSED(self), PyObject *map)
{
    ga_mirror *m = known(map);
    if (!m || ga_ended || m->go.status != GA_SETTLED || m->go.descriptor < 0)
        Py_RETURN_NONE;
    return Py_BuildValue("iidn", m->go.descriptor, m->go.renewed, m->go.again,
                         (Py_ssize_t)m->asked_count - m->asked_holes + m->exact_lengths);
}

static PyObject *f_stats(PyObject *Py_UNUSED(self), PyObject *map)
{
    ga_mirror *m = known(map);
    if (!m)
        Py_RETURN_NONE;
    return Py_BuildValue("KKKKK", (unsigned long long)m->stats.passes, (unsigned long long)m->stats.events,
                         (unsigned long long)m->stats.asked, (unsigned long long)m->stats.changes, (unsigned long long)m->stats.wakes);
}

static PyObject *f_watch(PyObject *Py_UNUSED(self), PyObject *call)
{
    Py_XSETREF(ga_tools.watch, call == Py_None ? NULL : Py_NewRef(call));
    Py_RETURN_NONE;
}

/* The program's timeout in seconds, negative for an infinite one. 0 if select or poll may refuse it. */
static int in_seconds(PyObject *timeout, int use_poll, double *seconds)
{
    *seconds = -1;
    if (timeout == Py_None)
        return 1;
    if (!PyFloat_CheckExact(timeout) && !PyLong_CheckExact(timeout))
        return 0;
    *seconds = PyFloat_AsDouble(timeout);
    if (PyErr_Occurred())
        PyErr_Clear(); /* an int too large for a double */
    else if (-LONGEST < *seconds && *seconds < LONGEST) {
        if (use_poll)
            *seconds = trunc(*seconds * 1000) / 1000; /* select.poll counts in milliseconds */
        return use_poll || *seconds >= 0;
    }
    return 0;
}

static PyObject *f_run(PyObject *Py_UNUSED(self), PyObject *const *args, Py_ssize_t Py_UNUSED(six))
{
    PyObject *namespace = args[0], *map = args[3];
    int use_poll = args[2] == Py_True, settle = args[5] == Py_True;
    double seconds;
    Py_ssize_t count = PyLong_AsSsize_t(args[4]);
    if (count == -1 && PyErr_Occurred())
        return NULL;
    if (!PyDict_CheckExact(namespace) || !PyDict_CheckExact(map) || !in_seconds(args[1], use_poll, &seconds) || !ga_may_call_go())
        return PyLong_FromLong(0);
    ga_mirror *m = ga_run_begin(map, namespace, use_poll, seconds == 0 ? 0 : seconds < 0 ? 2 : 1, settle);
    if (!m)
        return PyErr_Occurred() ? NULL : PyLong_FromLong(0);
    ga_loops++;
    PyObject *made = NULL;
    ga_ready ready[GA_FEW];
    int found = -1;
    if (m->go.status == GA_RUNNING && (count != 1 || settle || (found = ga_short_run(m, ready)) < 0)) {
        PyObject *all = Py_BuildValue("(LdiLi)", (long long)(intptr_t)m, seconds, use_poll, (long long)count, settle);
        made = all ? ga_call_go(all) : NULL;
        Py_XDECREF(all);
    } else {
        if (found >= 0) {
            m->go.passes = 1;
            ga_run_step(m, ready, found, 0);
        }
        if (m->go.status != GA_RAISED)
            made = PyLong_FromLong(m->go.status == GA_FINISHED ? -1 : m->go.passes);
    }
    if (m->go.status == GA_RUNNING) /* Go could not be called */
        ga_run_give_up(m);
    if (!ga_forked)
        ga_loops--;
    __atomic_store_n(&m->go.busy, 0, __ATOMIC_RELEASE);
    return made;
}

/* -- testing the watchers ---------------------------------------------------------------------- */

static int probe_count __attribute__((aligned(8)));

void ga_probe_changed(void *Py_UNUSED(owner), PyDict_WatchEvent Py_UNUSED(event), PyObject *Py_UNUSED(key), PyObject *Py_UNUSED(value))
{
    probe_count++;
}

static PyObject *f_probe(PyObject *Py_UNUSED(self), PyObject *obj)
{
    PyObject *dict = ga_watchable_dict(obj);
    int status = dict ? ga_watch(dict, WATCH_PROBE, &probe_count) : -1;
    Py_XDECREF(dict);
    probe_count = 0;
    return PyBool_FromLong(status == 0);
}

static PyObject *f_probed(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(args))
{
    return PyLong_FromLong(probe_count);
}

static PyObject *f_trust(PyObject *Py_UNUSED(self), PyObject *level)
{
    ga_watch_trust((int)PyLong_AsLong(level));
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

int ga_functions_setup(PyObject *module)
{
    static PyMethodDef functions[] = {
        {"run", (PyCFunction)(void (*)(void))f_run, METH_FASTCALL,
         "run(namespace, timeout, use_poll, map, count, settle)\n--\n\n"
         "Make passes; see _native.serve. Returns -1 if none are left to make, else how many were made: the others are portable."},
        {"due", f_due, METH_VARARGS, "due(map, when)\n--\n\nHave the loop over the map call run_due(map) at that time.monotonic()."},
        {"touch", f_touch, METH_O, "touch(map)\n--\n\nAfter a change that nothing else reports: have a pass made over a settled map."},
        {"unsettle", f_unsettle, METH_O, "unsettle(map)\n--\n\nThe descriptor of outlook(map) is not waited for any more."},
        {"outlook", f_outlook, METH_O,
         "outlook(map)\n--\n\nAfter a settled run: the descriptor that is readable when the next should be made, a number that rises when\n"
         "it is another file, the seconds after which to make it in any case (negative: never), and how many channels are asked, or\n"
         "exact lengths compared, in each pass. None if the run did not settle."},
        {"stats", f_stats, METH_O,
         "stats(map)\n--\n\nPasses, events, predicates called, changes of interest and wake-ups; None if no run was made over the map."},
        {"probe", f_probe, METH_O, "probe(object)\n--\n\nWatch its dict as a channel's; False if that cannot be done."},
        {"probed", f_probed, METH_NOARGS, "probed()\n--\n\nHow many changes the watcher has seen since probe()."},
        {"trust", f_trust, METH_O, "trust(level)\n--\n\nWhat passed the test: 0 nothing, 1 watching maps, 2 channels and classes as well."},
        {"watch", f_watch, METH_O, "watch(call)\n--\n\nHave call(channel, name) call the handlers; None ends that."},
        {0},
    };
    return PyModule_AddFunctions(module, functions);
}
