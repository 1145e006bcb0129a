//go:build gopy_binding

/* Runs over a map: entering, the passes, leaving. See bridge.h. */
#include "internal.h"

#include <errno.h>
#include <unistd.h>

PyObject *ga_names[N_COUNT], *ga_name_socket;
struct ga_tools ga_tools;

static PyObject *handle_expt_event, *handle_close;
static PyObject *name_read, *name_write, *name_exception, *name_readwrite;

void ga_take_gil(void)
{
    PyThreadState *thread = PyGILState_GetThisThreadState();
    while (!thread) /* the interpreter is gone, and the process is about to be */
        pause();
    PyEval_RestoreThread(thread);
}

/* Watches what a pass is made with: a namespace of asyncore's, or the modules that it waits with. 0, or -1 without an
 * exception. */
static int watch_namespace(PyObject *dict)
{
    static char owner[8] __attribute__((aligned(8)));
    return ga_watched(dict, WATCH_NAMESPACE) ? 0 : ga_watch(dict, WATCH_NAMESPACE, owner);
}

/* Where they cannot be watched, what replaces their functions is seen by the next run. 0, or -1 with an exception set. */
static int watch_modules(void)
{
    static const char *const names[] = {"select", "time"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        PyObject *module = PyImport_ImportModule(names[i]);
        if (!module)
            return -1;
        watch_namespace(PyModule_GetDict(module));
        Py_DECREF(module);
    }
    return 0;
}

int ga_setup(intptr_t tools)
{
    ga_take_gil();
    ga_guest_setup();
    static const char *const names[N_COUNT] = {
        [N_READABLE] = "readable",
        [N_WRITABLE] = "writable",
        [N_ACCEPTING] = "accepting",
        [N_CONNECTED] = "connected",
        [N_OUT_BUFFER] = "out_buffer",
        [N_PRODUCER_FIFO] = "producer_fifo",
        [N_HANDLE_READ_EVENT] = "handle_read_event",
        [N_HANDLE_WRITE_EVENT] = "handle_write_event",
        [N_HANDLE_READ] = "handle_read",
        [N_HANDLE_WRITE] = "handle_write",
    };
    int status = -1;
    PyObject *deque, *methods, *module;
    if (!PyArg_ParseTuple((PyObject *)tools, "OOOOOOOO", &ga_tools.rules_of, &ga_tools.aftermath, &ga_tools.intact, &ga_tools.run_due,
                          &deque, &ga_tools.backlog, &methods, &module))
        goto done;
    /* For good, but for asyncore's functions: see ending.c. */
    PyObject *kept[] = {ga_tools.rules_of, ga_tools.aftermath, ga_tools.intact, ga_tools.run_due, deque, ga_tools.backlog, module};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        Py_INCREF(kept[i]);
    ga_tools.deque = (PyTypeObject *)deque;
    for (int i = 0; i < N_COUNT; i++)
        if (!(ga_names[i] = PyUnicode_InternFromString(names[i])))
            goto done;
    if (!(ga_name_socket = PyUnicode_InternFromString("socket")) ||
        !(handle_expt_event = PyUnicode_InternFromString("handle_expt_event")) ||
        !(handle_close = PyUnicode_InternFromString("handle_close")) || !(name_read = PyUnicode_InternFromString("read")) ||
        !(name_write = PyUnicode_InternFromString("write")) || !(name_exception = PyUnicode_InternFromString("_exception")) ||
        !(name_readwrite = PyUnicode_InternFromString("readwrite")))
        goto done;
    if (ga_own_setup() == 0 && ga_fork_setup(module) == 0 && ga_run_setup(module) == 0 && ga_ending_setup(module) == 0 &&
        ga_services_setup(module) == 0 && ga_tracing_setup() == 0 && ga_watch_setup() == 0 && watch_modules() == 0)
        status = ga_methods_setup(methods);
done:
    PyEval_SaveThread();
    return status;
}

/* -- telling channels what happened ------------------------------------------------------------ */

/* 0, or -1 with an exception set. */
static int call(ga_mirror *m, PyObject *obj, PyObject *method)
{
    PyObject *args[2] = {NULL, obj};
    m->stats.events++;
    PyObject *result = ga_tools.watch ? PyObject_CallFunctionObjArgs(ga_tools.watch, obj, method, NULL)
                                      : PyObject_VectorcallMethod(method, args + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (!result)
        return -1;
    Py_DECREF(result);
    return 0;
}

/* Calls handle_read_event or handle_write_event. On a connected channel whose class leaves those alone they come
 * down to handle_read and handle_write, which are called in their place: a frame less, and 22 against 32 us of CPU time
 * for a pass with 100 such events (medians of 30 interleaved runs; with 10 of them 3.0 against 4.2). 0, or -1 with an
 * exception set. */
static int call_event(ga_channel *c, int event)
{
    PyObject *obj = c->obj;
    ga_class *class = c->class;
    if (class && c->dict && c->bare && !c->changed && !ga_forked && !ga_tools.watch &&
        (event == N_HANDLE_READ_EVENT ? class->direct_read : class->direct_write) && !class->stale && class->type == Py_TYPE(obj) &&
        ga_mirror_truth(c, N_CONNECTED) == 1 && ga_mirror_truth(c, N_ACCEPTING) == 0) {
        PyObject *args[2] = {NULL, obj};
        c->mirror->stats.events++;
        PyObject *handler = Py_NewRef(class->seen[event == N_HANDLE_READ_EVENT ? N_HANDLE_READ : N_HANDLE_WRITE]);
        PyObject *result = PyObject_Vectorcall(handler, args + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
        Py_DECREF(handler);
        if (!result)
            ga_pass_through(event == N_HANDLE_READ_EVENT ? ga_tools.handle_read_event : ga_tools.handle_write_event);
        Py_XDECREF(result);
        return result ? 0 : -1;
    }
    return call(c->mirror, obj, ga_names[event]);
}

/* Raises the exception in the list, once: its traceback leads to the list. */
static PyObject *raise_again(PyObject *list, PyObject *unused)
{
    (void)unused;
    PyObject *exc = PyList_GET_SIZE(list) ? Py_NewRef(PyList_GET_ITEM(list, 0)) : NULL;
    if (exc && PyList_SetSlice(list, 0, 1, NULL) == 0)
        PyErr_SetRaisedException(exc);
    return NULL;
}

/* A handler has raised at `event`: asyncore's own function for that decides what it means. Called with the exception
 * set. 0, or -1 with an exception set. */
static int aftermath(ga_mirror *m, PyObject *obj, uint32_t event)
{
    static PyMethodDef again = {"raise_again", raise_again, METH_NOARGS, NULL};
    PyObject *exc = PyErr_GetRaisedException();
    PyObject *name = m->use_poll ? name_readwrite : event == GA_WRITE ? name_write : event == GA_PRIORITY ? name_exception : name_read;
    PyObject *tell = Py_XNewRef(PyDict_GetItemWithError(m->names, name));
    PyObject *list = tell ? PyList_New(1) : NULL, *fail = NULL, *stand_in = NULL, *result = NULL;
    if (list) {
        PyList_SET_ITEM(list, 0, exc);
        exc = NULL;
        fail = PyCFunction_New(&again, list);
        stand_in = fail ? PyObject_CallFunctionObjArgs(ga_tools.aftermath, obj, fail, NULL) : NULL;
        if (stand_in)
            result = m->use_poll ? PyObject_CallFunction(tell, "OI", stand_in, event) : PyObject_CallOneArg(tell, stand_in);
    } else if (!PyErr_Occurred())
        PyErr_Format(PyExc_NameError, "name '%U' is not defined", name);
    Py_XDECREF(exc);
    Py_XDECREF(tell);
    Py_XDECREF(list);
    Py_XDECREF(fail);
    Py_XDECREF(stand_in);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* The channel that became ready, if it still stands under its number, or again; else NULL. */
static ga_channel *still_there(ga_mirror *m, int32_t fd, PyObject *obj)
{
    ga_mirror_settle(m);
    ga_channel *c = obj ? ga_channel_at(m, fd) : NULL;
    if (!c || c->obj != obj)
        return NULL;
    if (ga_forked) { /* in a handler of this pass: nobody tells the child's mirror of changes any more */
        PyObject *key = PyLong_FromLong(fd), *found = key ? PyDict_GetItemWithError(m->map, key) : NULL;
        Py_XDECREF(key);
        PyErr_Clear();
        if (found != obj)
            return NULL;
    }
    return c;
}

/* poll's meaning: everything that happened to one channel, whatever its handlers do to it meanwhile. 0, or -1
 * with an exception set. */
static int tell_all(ga_mirror *m, ga_channel *c, uint32_t events)
{
    PyObject *obj = c->obj; /* the caller's */
    int32_t fd = c->fd;
    int status = 0;
    uint32_t event = GA_READ;
    if (events & GA_READ)
        status = call_event(c, N_HANDLE_READ_EVENT);
    if (status == 0 && events & GA_WRITE) {
        event = GA_WRITE;
        c = still_there(m, fd, obj);
        status = c ? call_event(c, N_HANDLE_WRITE_EVENT) : call(m, obj, ga_names[N_HANDLE_WRITE_EVENT]);
    }
    if (status == 0 && events & GA_PRIORITY) {
        event = GA_PRIORITY;
        status = call(m, obj, handle_expt_event);
    }
    if (status == 0 && events & (GA_HANGUP | GA_ERROR | GA_INVALID))
        status = call(m, obj, handle_close);
    return status < 0 ? aftermath(m, obj, event) : 0;
}

/* 0, or -1 with an exception set. */
static int dispatch(ga_mirror *m, const ga_ready *ready, int count)
{
    PyObject *few[16], **channels = few;
    if (count > 16 && !(channels = PyMem_RawMalloc((size_t)count * sizeof *channels))) {
        PyErr_NoMemory();
        return -1;
    }
    ga_mirror_settle(m);
    /* Kept alive through the pass: else a newcomer at the same address could pass for one of them. */
    for (int i = 0; i < count; i++) {
        int32_t fd = ready[i].fd;
        ga_channel *c = ga_channel_at(m, fd);
        channels[i] = c && ga_waited_for(c) ? Py_NewRef(c->obj) : NULL;
    }
    int status = 0;
    for (int sweep = 0; sweep < (m->use_poll ? 1 : 3); sweep++)
        for (int i = 0; i < count && status == 0; i++) {
            static const uint32_t sweeps[] = {GA_READ, GA_WRITE, GA_PRIORITY}; /* select's meaning */
            if (!m->use_poll && !(ready[i].events & sweeps[sweep]))
                continue;
            ga_channel *c = still_there(m, ready[i].fd, channels[i]);
            if (!c)
                continue;
            if (m->use_poll)
                status = tell_all(m, c, ready[i].events);
            else if ((sweep == 0   ? call_event(c, N_HANDLE_READ_EVENT)
                      : sweep == 1 ? call_event(c, N_HANDLE_WRITE_EVENT)
                                   : call(m, channels[i], handle_expt_event)) < 0)
                status = aftermath(m, channels[i], sweeps[sweep]);
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
    if (m->attendant) /* which wants the registrations as no other run leaves them */
        ga_own_end_wait(m);
    PyObject *exc = PyErr_GetRaisedException();
    ga_classes_drop_unused();
    PyErr_SetRaisedException(exc);
}

/* Whether the functions of a pass in that namespace, which is watched, are what the engine stands for. Asked once for
 * each change. 0, 1, or -1 with an exception set. */
static int intact(PyObject *names)
{
    static PyObject *last; /* borrowed: its end is a change */
    static uint64_t last_epoch;
    if (names == last && last_epoch == ga_namespace_epoch)
        return 1;
    uint64_t epoch = ga_namespace_epoch;
    PyObject *answer = PyObject_CallOneArg(ga_tools.intact, names);
    int is = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    if (is == 1) {
        last = names;
        last_epoch = epoch;
    }
    return is;
}

void ga_give_up(ga_mirror *m)
{
    ga_unlisten(m);
    ga_mirror_retell_changes(m);
    leave(m, GA_RAISED);
}

/* What a signal handler does now to what was collected counts in the next pass, as in a select.select() under way. */
static void check_before_waiting(ga_mirror *m)
{
    if (ga_listen_and_check(m) < 0)
        ga_give_up(m);
}

/* Every call from Go begins so. */
static void come_back(ga_mirror *m)
{
    ga_take_gil();
    if (m)
        ga_unlisten(m);
}

/* Collects what the channels wait for, and ends the run where there is nothing to wait. */
static void collect(ga_mirror *m)
{
    if (ga_ended) {
        leave(m, GA_HANDOVER);
        return;
    }
    int is_intact = 1;
    int status = PyErr_CheckSignals() < 0 || (is_intact = intact(m->names)) < 0 ? -1 : 0;
    m->go.change_count = 0;
    if (status == 0 && PyDict_GET_SIZE(m->map) == 0 && !m->settle) {
        leave(m, GA_FINISHED);
        return;
    }
    if (status == 0 && !is_intact) {
        leave(m, GA_HANDOVER);
        return;
    }
    if (status == 0)
        status = ga_mirror_collect(m);
    if (status == 0 && !m->foreign && !m->wanting && m->forever && !m->use_poll && m->due == Py_HUGE_VAL) {
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
    m->woken = 0;
    check_before_waiting(m);
}

ga_mirror *ga_begin(PyObject *map, PyObject *names, int use_poll, int wait, int settle)
{
    if (ga_ended || ga_trusted == 0 || watch_namespace(names) < 0 || intact(names) != 1)
        return NULL;
    ga_mirror *m = ga_mirror_of(map);
    if (!m || __atomic_load_n(&m->go.busy, __ATOMIC_ACQUIRE)) /* in this thread, from a handler, or in another one */
        return NULL;
    m->go.busy = 1;
    m->names = names;
    m->use_poll = (uint8_t)use_poll;
    m->forever = wait == 2;
    m->rests = wait != 0;
    m->settle = (uint8_t)settle;
    m->settled = 0;
    m->go.status = GA_RUNNING;
    m->go.passes = 0;
    collect(m);
    return m;
}

void ga_tell(ga_mirror *m, const ga_ready *ready, int count, int collecting)
{
    m->stats.passes++;
    m->waiting = 0;
    m->go.change_count = 0;
    if ((count && dispatch(m, ready, count) < 0) || (!ga_forked && m->due < Py_HUGE_VAL && ga_call_due(m) < 0))
        leave(m, GA_RAISED);
    else if (ga_forked) /* in a handler: this is the child */
        leave(m, GA_HANDOVER);
    else if (collecting)
        collect(m);
    else
        leave(m, GA_FINISHED);
}

void ga_step(ga_map *go, const ga_ready *ready, int count, int collecting)
{
    ga_mirror *m = (ga_mirror *)go;
    come_back(m);
    ga_tell(m, ready, count, collecting);
    ga_return_to_go(m);
}

int ga_holds(ga_map *go, int fd, uint64_t order)
{
    ga_mirror *m = (ga_mirror *)go;
    ga_take_gil();
    const ga_channel *c = m->resync ? NULL : ga_channel_at(m, fd);
    int holds = c && c->order == order && c->reported && !c->renewed;
    ga_return_to_go(m);
    return holds;
}

void ga_interrupted(ga_map *go)
{
    ga_mirror *m = (ga_mirror *)go;
    come_back(m);
    check_before_waiting(m);
    if (m->go.status == GA_RUNNING && ga_forked)
        leave(m, GA_HANDOVER);
    ga_return_to_go(m);
}

void ga_own(ga_map *go, int poller, int read_end, int write_end)
{
    ga_mirror *m = (ga_mirror *)go;
    come_back(m);
    ga_own_hold(m, poller, read_end, write_end);
    check_before_waiting(m);
    ga_return_to_go(m);
}

void ga_hand_over(ga_map *go)
{
    come_back((ga_mirror *)go);
    ga_mirror_retell_all((ga_mirror *)go);
    leave((ga_mirror *)go, GA_HANDOVER);
    ga_return_to_go((ga_mirror *)go);
}

void ga_settle(ga_map *go)
{
    ga_mirror *m = (ga_mirror *)go;
    come_back(m);
    m->waiting = 0;
    m->names = NULL;
    m->go.status = GA_SETTLED;
    ga_attended += m->attendant == 0;
    m->attendant = PyThread_get_thread_ident();
    m->settled = 1;
    ga_return_to_go(m);
}

void ga_fail(ga_map *go, int error)
{
    come_back((ga_mirror *)go);
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    ga_mirror_retell_all((ga_mirror *)go);
    leave((ga_mirror *)go, GA_RAISED);
    ga_return_to_go((ga_mirror *)go);
}

void ga_panic(ga_map *go, const char *text)
{
    come_back((ga_mirror *)go);
    PyErr_SetString(PyExc_RuntimeError, text);
    if (go) {
        ga_mirror_retell_all((ga_mirror *)go);
        leave((ga_mirror *)go, GA_RAISED);
    }
    ga_return_to_go((ga_mirror *)go);
}
