//go:build gopy_binding

/* How a run begins: with what Python says, and where that is enough with a pass that never leaves for Go. Requires the
 * GIL throughout. */
#include "internal.h"

#include <math.h>
#include <poll.h>

#define FEW 32      /* numbers that one look at all of them costs less than a crossing to Go and back */
#define LONGEST 2e6 /* seconds that select and poll take for sure */

/* The meanings of ready, as in engine/selector/meaning.go. */
static uint32_t interest(uint32_t want, int use_poll)
{
    return want & GA_READ || !use_poll ? want | GA_PRIORITY : want;
}

static uint32_t meaning(uint32_t want, uint32_t got, int use_poll)
{
    uint32_t told = got & interest(want, use_poll);
    if (use_poll)
        return told | (got & (GA_ERROR | GA_HANGUP));
    if (want & GA_READ && got & (GA_ERROR | GA_HANGUP))
        told |= GA_READ;
    if (want & GA_WRITE && got & GA_ERROR)
        told |= GA_WRITE;
    return told;
}

/* The only pass of a run that has begun, by a look with poll(2), which knows nothing of the pass before: so what the
 * engine has registered does not matter, nor what was closed or put in its place. Returns 0 when the engine has to make
 * it: there are many numbers, news for it, or a closed number; or nothing is ready, and the pass has time. */
static int made_here(ga_mirror *m)
{
    struct pollfd seen[FEW];
    struct {
        uint64_t order;
        ga_ready ready;
    } known[FEW], next;
    ga_ready ready[FEW];
    int count = 0, some = 0;
    if (m->go.change_count || m->attendant || m->wanting > FEW || m->number_size > 4 * FEW)
        return 0;
    for (int32_t i = 0; i < m->number_size; i++) {
        const ga_number *n = &m->numbers[i];
        if (n->fd < 0 || !n->told)
            continue;
        if (n->told == TOLD_UNKNOWN || !n->channel || count == FEW)
            return 0;
        seen[count] = (struct pollfd){.fd = n->fd, .events = (short)interest(n->told, m->use_poll)};
        known[count].order = n->channel->order;
        known[count++].ready = (ga_ready){n->fd, n->told};
    }
    PyThreadState *thread = PyEval_SaveThread(); /* others wait for their turn, perhaps */
    int found = poll(seen, (nfds_t)count, 0);
    PyEval_RestoreThread(thread);
    if (found < 0)
        return 0;
    for (int i = 0; i < count && found; i++) {
        uint32_t got = (uint16_t)seen[i].revents;
        if (got & GA_INVALID)
            return 0;
        next = known[i];
        next.ready.events = meaning(next.ready.events, got, m->use_poll);
        if (!next.ready.events)
            continue;
        int at = some++; /* in map order, in the place of those that have been looked at */
        for (; at > 0 && known[at - 1].order > next.order; at--)
            known[at] = known[at - 1];
        known[at] = next;
    }
    if (!some && m->rests)
        return 0;
    for (int i = 0; i < some; i++)
        ready[i] = known[i].ready;
    ga_unlisten(m);
    m->go.passes = 1;
    ga_tell(m, ready, some, 0);
    return 1;
}

/* What a timeout of the program's is in seconds, below 0: for ever. 0 if select or poll may have something to say to it. */
static int in_seconds(PyObject *timeout, int use_poll, double *seconds)
{
    *seconds = -1;
    if (timeout == Py_None)
        return 1;
    if (!PyFloat_CheckExact(timeout) && !PyLong_CheckExact(timeout))
        return 0;
    *seconds = PyFloat_AsDouble(timeout);
    if (PyErr_Occurred())
        PyErr_Clear(); /* an int that no double holds */
    else if (-LONGEST < *seconds && *seconds < LONGEST) {
        if (use_poll)
            *seconds = trunc(*seconds * 1000) / 1000; /* select.poll counts in milliseconds */
        return use_poll || *seconds >= 0;
    }
    return 0;
}

static PyObject *run(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    (void)self;
    if (nargs != 6 || !PyDict_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "run() takes a namespace, and five things more");
        return NULL;
    }
    PyObject *names = args[0], *map = args[3];
    int use_poll = args[2] == Py_True, settle = args[5] == Py_True;
    double seconds;
    Py_ssize_t count = PyLong_AsSsize_t(args[4]);
    if (count == -1 && PyErr_Occurred())
        return NULL;
    if (!PyDict_CheckExact(map) || !in_seconds(args[1], use_poll, &seconds) || !ga_may_call_go())
        return PyLong_FromLong(0);
    ga_mirror *m = ga_begin(map, names, use_poll, seconds == 0 ? 0 : seconds < 0 ? 2 : 1, settle);
    if (!m)
        return PyErr_Occurred() ? NULL : PyLong_FromLong(0);
    PyObject *made = NULL;
    if (m->go.status == GA_RUNNING && (count != 1 || settle || !made_here(m))) {
        PyObject *all = Py_BuildValue("(LdiLi)", (long long)(intptr_t)m, seconds, use_poll, (long long)count, settle);
        if (all) {
            made = ga_call_go(all);
            Py_DECREF(all);
        }
    } else if (m->go.status != GA_RAISED)
        made = PyLong_FromLong(m->go.status == GA_FINISHED ? -1 : m->go.passes);
    if (m->go.status == GA_RUNNING) /* Go could not be called */
        ga_give_up(m);
    __atomic_store_n(&m->go.busy, 0, __ATOMIC_RELEASE);
    return made;
}

int ga_run_setup(PyObject *module)
{
    static PyMethodDef functions[] = {
        {"run", (PyCFunction)(void (*)(void))run, METH_FASTCALL,
         "run(namespace, timeout, use_poll, map, count, settle)\n--\n\n"
         "Make passes; see _native.serve. Returns -1 when there are none left to make, else how many were made: the others\n"
         "must be portable ones."},
        {0},
    };
    return PyModule_AddFunctions(module, functions);
}
