/* The passes of a run: how it begins, what Go calls during it, and how it ends. */
#include "run.h"
#include "alarm.h"
#include "crossing.h"
#include "dispatch.h"
#include "interest.h"
#include "watch.h"

#include <errno.h>

static uint64_t namespace_epoch; /* rises with each change of a namespace that a pass depends on */

void ga_run_namespace_changed(void)
{
    namespace_epoch++;
}

/* A pass depends on asyncore's namespace, and on the modules that it waits with. 0, or -1 without an exception. */
static int watch_namespace(PyObject *dict)
{
    static char owner[8] __attribute__((aligned(8)));
    return ga_watched(dict, WATCH_NAMESPACE) ? 0 : ga_watch(dict, WATCH_NAMESPACE, owner);
}

int ga_run_setup(void)
{
    static const char *const names[] = {"select", "time"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        PyObject *module = PyImport_ImportModule(names[i]);
        if (!module)
            return -1;
        watch_namespace(PyModule_GetDict(module)); /* if that fails, the next run sees that a function was replaced */
        Py_DECREF(module);
    }
    return 0;
}

/* Ends the run. An exception that is set stays set. */
static void leave(ga_mirror *m, int status)
{
    m->waiting = 0;
    m->namespace = NULL;
    m->go.status = status;
    if (m->attendant) /* it needs the registrations as only a settling run leaves them */
        ga_waker_end_wait(&m->waker);
    PyObject *exc = PyErr_GetRaisedException();
    ga_classes_drop_unused();
    PyErr_SetRaisedException(exc);
}

/* Whether the functions of a pass in that namespace, which is watched, are those that the engine replaces. Found out once for
 * each change. 0, 1, or -1 with an exception set. */
static int intact(PyObject *namespace)
{
    static PyObject *last; /* borrowed: its end is a change */
    static uint64_t last_epoch;
    if (namespace == last && last_epoch == namespace_epoch)
        return 1;
    uint64_t epoch = namespace_epoch;
    PyObject *result = PyObject_CallOneArg(ga_tools.intact, namespace);
    int is = result ? PyObject_IsTrue(result) : -1;
    Py_XDECREF(result);
    if (is == 1) {
        last = namespace;
        last_epoch = epoch;
    }
    return is;
}

void ga_run_give_up(ga_mirror *m)
{
    ga_waker_unlisten(&m->waker);
    ga_interest_report_changes_again(m);
    leave(m, GA_RAISED);
}

/* What a signal handler changes now counts in the next pass, as during a select.select(). */
static void check_before_waiting(ga_mirror *m)
{
    if (ga_waker_listen(&m->waker, m->rests) < 0)
        ga_run_give_up(m);
}

/* -- scheduled calls --------------------------------------------------------------------------- */

void ga_run_set_due(ga_mirror *m, double when)
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

/* Makes the scheduled calls that are due. */
static int call_due(ga_mirror *m)
{
    if (ga_now() < m->due)
        return 0;
    ga_run_set_due(m, Py_HUGE_VAL); /* run_due sets the next time */
    PyObject *map = Py_NewRef(m->map), *result = PyObject_CallOneArg(ga_tools.run_due, map);
    Py_DECREF(map);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* -- passes ------------------------------------------------------------------------------------ */

/* Collects what the channels wait for, and ends the run if there is nothing to wait for. */
static void collect(ga_mirror *m)
{
    if (ga_ended) {
        leave(m, GA_HANDOVER);
        return;
    }
    int is_intact = 1;
    int status = PyErr_CheckSignals() < 0 || (is_intact = intact(m->namespace)) < 0 ? -1 : 0;
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
        status = ga_interest_collect(m);
    if (status == 0 && !m->wanting && m->forever && !m->use_poll && m->due == Py_HUGE_VAL) {
        /* Nothing would ever end this wait. asyncore slept here, and sleep() does not accept None. */
        PyErr_SetString(PyExc_TypeError, "no channel waits for anything, and the timeout is None");
        status = -1;
    }
    if (status || ga_forked) {
        ga_interest_report_changes_again(m);
        leave(m, status < 0 ? GA_RAISED : GA_HANDOVER);
        return;
    }
    m->waiting = 1;
    m->woken = 0;
    check_before_waiting(m);
}

ga_mirror *ga_run_begin(PyObject *map, PyObject *namespace, int use_poll, int wait, int settle)
{
    if (ga_ended || ga_trusted == 0 || watch_namespace(namespace) < 0 || intact(namespace) != 1)
        return NULL;
    ga_mirror *m = ga_mirror_of(map);
    if (!m || __atomic_load_n(&m->go.busy, __ATOMIC_ACQUIRE)) /* this thread, in a handler, or another thread loops over it */
        return NULL;
    m->go.busy = 1;
    m->namespace = namespace;
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

void ga_run_step(ga_mirror *m, const ga_ready *ready, int count, int collecting)
{
    ga_waker_unlisten(&m->waker);
    m->stats.passes++;
    m->waiting = 0;
    m->go.change_count = 0;
    if ((count && ga_dispatch(m, ready, count) < 0) || (!ga_forked && m->due < Py_HUGE_VAL && call_due(m) < 0))
        leave(m, GA_RAISED);
    else if (ga_forked) /* in a handler: this is the child */
        leave(m, GA_HANDOVER);
    else if (collecting)
        collect(m);
    else
        leave(m, GA_FINISHED);
}

/* -- calls from Go ----------------------------------------------------------------------------- */

/* Begins one. */
static ga_mirror *come_back(ga_map *go)
{
    ga_take_gil();
    if (go)
        ga_waker_unlisten(&((ga_mirror *)go)->waker);
    return (ga_mirror *)go;
}

/* Ends one. */
static void go_back(ga_mirror *m)
{
    ga_return_to_go(!m ? 0 : m->go.status == GA_FINISHED ? -1 : m->go.passes);
}

/* Ends one, and a run after which the engine must be told everything again. */
static void break_off(ga_mirror *m, int status)
{
    if (m) {
        ga_interest_report_all_again(m);
        leave(m, status);
    }
    go_back(m);
}

void ga_pass_signals_on(ga_map *go, const void *numbers, int count)
{
    ga_waker_pass_signals_on(&((ga_mirror *)go)->waker, numbers, count);
}

int ga_begin_alarm(ga_map *go)
{
    return ga_alarm_begin(go, &((ga_mirror *)go)->waker);
}

void ga_opened(ga_map *go, int poller, int read_end, int write_end)
{
    ga_mirror *m = come_back(go);
    ga_waker_hold(&m->waker, poller, read_end, write_end);
    check_before_waiting(m);
    go_back(m);
}

void ga_step(ga_map *go, const ga_ready *ready, int count, int collecting)
{
    ga_take_gil();
    ga_run_step((ga_mirror *)go, ready, count, collecting);
    go_back((ga_mirror *)go);
}

void ga_interrupted(ga_map *go)
{
    ga_mirror *m = come_back(go);
    check_before_waiting(m);
    if (m->go.status == GA_RUNNING && ga_forked)
        leave(m, GA_HANDOVER);
    go_back(m);
}

int ga_holds(ga_map *go, int fd, uint64_t order)
{
    ga_mirror *m = (ga_mirror *)go;
    ga_take_gil(); /* without come_back(): the wait goes on, so the waker keeps listening */
    const ga_number *n = m->resync ? NULL : ga_number_at(m, fd);
    const ga_channel *c = n ? n->channel : NULL;
    int holds = (n && n->left) || (c && c->order == order && c->known && !c->renewed);
    go_back(m);
    return holds;
}

void ga_fail(ga_map *go, int error)
{
    ga_mirror *m = come_back(go);
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    break_off(m, GA_RAISED);
}

void ga_panic(ga_map *go, const char *text)
{
    ga_mirror *m = come_back(go);
    PyErr_SetString(PyExc_RuntimeError, text);
    break_off(m, GA_RAISED);
}

void ga_hand_over(ga_map *go)
{
    break_off(come_back(go), GA_HANDOVER);
}

void ga_settle(ga_map *go)
{
    ga_mirror *m = come_back(go);
    m->waiting = 0;
    m->namespace = NULL;
    m->go.status = GA_SETTLED;
    ga_attended += m->attendant == 0;
    m->attendant = PyThread_get_thread_ident();
    m->settled = 1;
    go_back(m);
}

uintptr_t ga_next_abandoned(void)
{
    ga_take_gil();
    uintptr_t handle = ga_mirror_abandoned();
    PyEval_SaveThread();
    return handle;
}
