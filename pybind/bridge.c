//go:build gopy_binding

/* Runs over a map: entering, the passes, leaving. See bridge.h. */
#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

PyObject *ga_names[N_COUNT];
struct ga_tools ga_tools;

static PyObject *handle_read_event, *handle_write_event, *handle_expt_event, *handle_close;
static PyObject *name_read, *name_readwrite;

/* Runs in the child of any fork, with one thread and perhaps in a run. The parent's registrations live
 * on in the open files; these descriptors are only this process's copies. */
static void after_fork_in_child(void)
{
    ga_forked = 1;
    for (ga_mirror *m = ga_mirrors; m; m = m->next)
        for (int i = 0; i < 3; i++)
            if (m->go.own_fds[i] >= 0) {
                close(m->go.own_fds[i]);
                m->go.own_fds[i] = -1;
            }
}

int ga_setup(intptr_t tools)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    static const char *const names[N_COUNT] = {"readable", "writable", "accepting", "connected", "out_buffer", "producer_fifo"};
    int status = -1;
    PyObject *deque, *methods;
    if (!PyArg_ParseTuple((PyObject *)tools, "OOOOOO", &ga_tools.kind_of, &ga_tools.aftermath, &ga_tools.intact, &deque,
                          &ga_tools.backlog, &methods))
        goto done;
    Py_INCREF((PyObject *)tools); /* for good */
    ga_tools.deque = (PyTypeObject *)deque;
    for (int i = 0; i < N_COUNT; i++)
        if (!(ga_names[i] = PyUnicode_InternFromString(names[i])))
            goto done;
    if (!(handle_read_event = PyUnicode_InternFromString("handle_read_event")) ||
        !(handle_write_event = PyUnicode_InternFromString("handle_write_event")) ||
        !(handle_expt_event = PyUnicode_InternFromString("handle_expt_event")) ||
        !(handle_close = PyUnicode_InternFromString("handle_close")) || !(name_read = PyUnicode_InternFromString("read")) ||
        !(name_readwrite = PyUnicode_InternFromString("readwrite")))
        goto done;
    if (pthread_atfork(NULL, NULL, after_fork_in_child)) {
        PyErr_NoMemory();
        goto done;
    }
    status = ga_watch_setup() < 0 ? -1 : ga_methods_setup(methods);
done:
    PyGILState_Release(gil);
    return status;
}

/* -- telling channels what happened ------------------------------------------------------------ */

/* 0, or -1 with an exception set. */
static int call(PyObject *obj, PyObject *method)
{
    PyObject *args[2] = {NULL, obj};
    PyObject *result = PyObject_VectorcallMethod(method, args + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (!result)
        return -1;
    Py_DECREF(result);
    return 0;
}

/* A handler has raised: asyncore's own read() or readwrite() decides what that means. Called with the
 * exception set. 0, or -1 with an exception set. */
static int aftermath(ga_mirror *m, PyObject *obj)
{
    PyObject *exc = PyErr_GetRaisedException();
    PyObject *name = m->use_poll ? name_readwrite : name_read;
    PyObject *tell = Py_XNewRef(PyDict_GetItemWithError(m->names, name));
    PyObject *stand_in = tell ? PyObject_CallFunctionObjArgs(ga_tools.aftermath, obj, exc, NULL) : NULL;
    PyObject *result = NULL;
    if (stand_in) {
        Py_CLEAR(exc);
        result = m->use_poll ? PyObject_CallFunction(tell, "Oi", stand_in, GA_READ) : PyObject_CallOneArg(tell, stand_in);
    } else if (!PyErr_Occurred())
        PyErr_SetObject(PyExc_NameError, name);
    Py_XDECREF(exc);
    Py_XDECREF(tell);
    Py_XDECREF(stand_in);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* poll's meaning: everything that happened to one channel. 0, or -1 with an exception set. */
static int tell_all(ga_mirror *m, PyObject *obj, uint32_t events)
{
    if ((events & GA_READ && call(obj, handle_read_event) < 0) || (events & GA_WRITE && call(obj, handle_write_event) < 0) ||
        (events & GA_PRIORITY && call(obj, handle_expt_event) < 0) ||
        (events & (GA_HANGUP | GA_ERROR | GA_INVALID) && call(obj, handle_close) < 0))
        return aftermath(m, obj);
    return 0;
}

/* Whether the channel that became ready still stands under its number, or again. */
static int still_there(ga_mirror *m, int32_t fd, PyObject *obj)
{
    return obj && fd < m->size && m->by_fd[fd] && m->by_fd[fd]->obj == obj;
}

/* 0, or -1 with an exception set. */
static int dispatch(ga_mirror *m, const ga_ready *ready, int count)
{
    PyObject *few[16], **channels = few;
    if (count > 16 && !(channels = PyMem_RawMalloc((size_t)count * sizeof *channels))) {
        PyErr_NoMemory();
        return -1;
    }
    /* Kept alive through the pass: else a newcomer at the same address could pass for one of them. */
    for (int i = 0; i < count; i++) {
        int32_t fd = ready[i].fd;
        ga_channel *c = fd < m->size ? m->by_fd[fd] : NULL;
        channels[i] = c && c->reported ? Py_NewRef(c->obj) : NULL;
    }
    int status = 0;
    if (m->use_poll) {
        for (int i = 0; i < count && status == 0; i++)
            if (still_there(m, ready[i].fd, channels[i]))
                status = tell_all(m, channels[i], ready[i].events);
    } else {
        struct {
            uint32_t event;
            PyObject *method;
        } const sweeps[] = {{GA_READ, handle_read_event}, {GA_WRITE, handle_write_event}, {GA_PRIORITY, handle_expt_event}};
        for (int s = 0; s < 3; s++)
            for (int i = 0; i < count && status == 0; i++)
                if (ready[i].events & sweeps[s].event && still_there(m, ready[i].fd, channels[i]) &&
                    call(channels[i], sweeps[s].method) < 0)
                    status = aftermath(m, channels[i]);
    }
    PyObject *exc = status < 0 ? PyErr_GetRaisedException() : NULL;
    for (int i = 0; i < count; i++)
        Py_XDECREF(channels[i]);
    if (exc)
        PyErr_SetRaisedException(exc);
    if (channels != few)
        PyMem_RawFree(channels);
    return status;
}

/* -- a run ------------------------------------------------------------------------------------- */

/* Ends the run. An exception that is set stays so. */
static void leave(ga_mirror *m, int status)
{
    m->waiting = 0;
    m->names = NULL;
    m->go.status = status;
    PyObject *exc = PyErr_GetRaisedException();
    ga_classes_drop_unused();
    PyErr_SetRaisedException(exc);
}

/* Whether the functions of the pass are still what the engine stands for. 0, 1, or -1 with an exception set. */
static int intact(ga_mirror *m)
{
    if (m->namespace_epoch == ga_namespace_epoch)
        return 1;
    uint64_t epoch = ga_namespace_epoch;
    PyObject *answer = PyObject_CallOneArg(ga_tools.intact, m->names);
    int is = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    if (is == 1)
        m->namespace_epoch = epoch;
    return is;
}

/* Collects what the channels wait for, and ends the run where there is nothing to wait. */
static void collect(ga_mirror *m)
{
    int is_intact = 1;
    int status = PyErr_CheckSignals() < 0 || (is_intact = intact(m)) < 0 ? -1 : 0;
    m->go.change_count = 0;
    if (status == 0 && PyDict_GET_SIZE(m->map) == 0) {
        leave(m, GA_FINISHED);
        return;
    }
    if (status == 0 && !is_intact) {
        leave(m, GA_HANDOVER);
        return;
    }
    if (status == 0)
        status = ga_mirror_collect(m);
    if (status == 0 && !m->foreign && !m->wanting && m->forever && !m->use_poll) {
        /* Nobody would ever end this wait; asyncore slept, and sleep() does not take None. */
        PyErr_SetString(PyExc_TypeError, "no channel waits for anything, and the timeout is None");
        status = -1;
    }
    if (status < 0 || m->foreign || ga_forked) {
        ga_mirror_retell_changes(m);
        leave(m, status < 0 ? GA_RAISED : GA_HANDOVER);
        return;
    }
    m->waiting = 1;
}

ga_map *ga_enter(intptr_t map, intptr_t names, int use_poll, int forever)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    ga_mirror *m = NULL;
    if (ga_forked || ga_trusted == 0 || !PyDict_CheckExact((PyObject *)map))
        goto done;
    m = ga_mirror_of((PyObject *)map);
    if (!m)
        goto done;
    if (__atomic_load_n(&m->go.busy, __ATOMIC_ACQUIRE)) { /* in this thread, from a handler, or in another one */
        m = NULL;
        goto done;
    }
    PyObject *namespace = (PyObject *)names;
    static char owner[8] __attribute__((aligned(8)));
    if (!ga_watched(namespace, WATCH_NAMESPACE) && ga_watch(namespace, WATCH_NAMESPACE, owner) < 0) {
        m = NULL;
        goto done;
    }
    m->go.busy = 1;
    m->names = namespace;
    m->use_poll = (uint8_t)use_poll;
    m->forever = (uint8_t)forever;
    m->go.status = GA_RUNNING;
    m->go.passes = 0;
    if (m->namespace_epoch == 0)
        m->namespace_epoch = (uint64_t)-1; /* not looked at yet */
    collect(m);
done:
    PyGILState_Release(gil);
    return m ? &m->go : NULL;
}

void ga_step(ga_map *go, const ga_ready *ready, int count, int collecting)
{
    ga_mirror *m = (ga_mirror *)go;
    PyGILState_STATE gil = PyGILState_Ensure();
    m->waiting = 0;
    m->go.change_count = 0;
    if (count && dispatch(m, ready, count) < 0)
        leave(m, GA_RAISED);
    else if (ga_forked) /* in a handler: this is the child */
        leave(m, GA_HANDOVER);
    else if (collecting)
        collect(m);
    else
        leave(m, GA_FINISHED);
    PyGILState_Release(gil);
}

void ga_interrupted(ga_map *go)
{
    ga_mirror *m = (ga_mirror *)go;
    PyGILState_STATE gil = PyGILState_Ensure();
    if (PyErr_CheckSignals() < 0)
        leave(m, GA_RAISED);
    else if (ga_forked)
        leave(m, GA_HANDOVER);
    PyGILState_Release(gil);
}

void ga_hand_over(ga_map *go)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    ga_mirror_retell_all((ga_mirror *)go);
    leave((ga_mirror *)go, GA_HANDOVER);
    PyGILState_Release(gil);
}

void ga_fail(ga_map *go, int error)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    ga_mirror_retell_all((ga_mirror *)go);
    leave((ga_mirror *)go, GA_RAISED);
    PyGILState_Release(gil);
}

void ga_panic(ga_map *go, const char *text)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    PyErr_SetString(PyExc_RuntimeError, text);
    if (go) {
        ga_mirror_retell_all((ga_mirror *)go);
        leave((ga_mirror *)go, GA_RAISED);
    }
    PyGILState_Release(gil);
}
