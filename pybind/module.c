/* Sets the other files up and connects them; the only one that knows all. */
#include "module.h"
#include "calls_accept.h"
#include "calls_chat.h"
#include "calls_chat_input.h"
#include "calls_dispatcher.h"
#include "calls_turns.h"
#include "crossing.h"
#include "functions.h"
#include "guest.h"
#include "instance_dict.h"
#include "mirror_events.h"
#include "run.h"
#include "tracing.h"
#include "watch.h"

#include <pthread.h>

/* -- what watchers report ---------------------------------------------------------------------- */

static void on_globals(void *Py_UNUSED(owner), PyDict_WatchEvent event, PyObject *key, PyObject *Py_UNUSED(value))
{
    if (ga_plan_global_changed(event, key))
        ga_mirrors_touch();
}

static void on_namespace(void *owner, PyDict_WatchEvent event, PyObject *key, PyObject *value)
{
    ga_run_namespace_changed();
    on_globals(owner, event, key, value);
}

static const ga_watch_reports reports = {
    .dict =
        {
            [WATCH_MAP] = ga_mirror_map_changed,
            [WATCH_CHANNEL] = ga_mirror_attribute_changed,
            [WATCH_NAMESPACE] = on_namespace,
            [WATCH_GLOBALS] = on_globals,
            [WATCH_PROBE] = ga_probe_changed,
        },
    .class = ga_class_changed,
    .function = ga_function_changed,
    .touch = ga_mirrors_touch,
    .class_assigned = ga_mirror_class_assigned,
    .monitored = ga_tracing_may_begin,
};

/* -- the end of the process's first life, and of the interpreter -------------------------------- */

/* Runs in the child of any fork, with one thread and perhaps in a run. The parent's registrations live on in the open files; these
 * descriptors are only this process's copies. */
static void after_fork_in_child(void)
{
    ga_forked = 1;
    ga_loops = 0;
    ga_guest_forked();
    ga_turns_forked();
    for (ga_mirror *m = ga_mirrors; m; m = m->next) {
        ga_waker_unlisten(&m->waker); /* if another thread forked, the run's is not here */
        ga_waker_close(&m->waker);
    }
}

/* When CPython ends, it empties the modules, so that what is in them is closed and written out; but not the dict of a module that
 * is gone while something holds a function of it. The program's classes and asyncore's functions, which we hold, lead to all that
 * is in their globals: a file that was never closed would not be flushed. So an atexit callback releases them. It does not go
 * through Go, because the child of a fork calls it too. Passes after it are portable. */
static PyObject *end(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(args))
{
    ga_ended = 1;
    ga_dispatcher_calls_end();
    ga_chat_input_end();
    ga_calls_end();
    ga_classes_end();
    Py_RETURN_NONE;
}

/* -- setting up -------------------------------------------------------------------------------- */

static PyObject *set_up_chat(PyObject *Py_UNUSED(self), PyObject *tools)
{
    return ga_chat_calls_setup(tools, ga_mirrors_touch) < 0 ? NULL : Py_NewRef(Py_None);
}

static int set_up_functions(PyObject *module)
{
    static PyMethodDef functions[] = {
        {"set_up_chat", set_up_chat, METH_O, "set_up_chat(tools)\n--\n\nGive asynchat's functions native calls."},
        {"end", end, METH_NOARGS, "end()\n--\n\nRelease what belongs to the program."},
        {0},
    };
    if (pthread_atfork(NULL, NULL, after_fork_in_child)) {
        PyErr_NoMemory();
        return -1;
    }
    return PyModule_AddFunctions(module, functions) < 0 ? -1 : ga_functions_setup(module);
}

static int set_up_calls(PyObject *tools)
{
    PyObject *dispatcher, *functions, *socket_class;
    if (!PyArg_ParseTuple(tools, "O!O!O!", &PyType_Type, &dispatcher, &PyTuple_Type, &functions, &PyType_Type, &socket_class))
        return -1;
    ga_instance_dict_setup((PyTypeObject *)dispatcher, ga_mirror_dict_replaced);
    if (ga_calls_setup((PyTypeObject *)socket_class) < 0 || ga_accept_setup((PyTypeObject *)socket_class) < 0)
        return -1;
    ga_dispatcher_calls_setup((PyTypeObject *)dispatcher, functions);
    return 0;
}

int ga_setup(intptr_t tools)
{
    ga_take_gil();
    ga_guest_setup();
    PyObject *calls, *module;
    int status = -1;
    if (PyArg_ParseTuple((PyObject *)tools, "OOOOOOOO", &ga_tools.rules_of, &ga_tools.aftermath, &ga_tools.intact, &ga_tools.run_due,
                         &ga_tools.deque, &ga_tools.backlog, &calls, &module)) {
        void *kept[] = {ga_tools.rules_of, ga_tools.aftermath, ga_tools.intact, ga_tools.run_due, ga_tools.deque, ga_tools.backlog, module};
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
            Py_INCREF(kept[i]);
        ga_class_facts_setup(ga_mirror_class_changed);
        ga_tracing_setup();
        if (ga_cpython_setup() == 0 && ga_crossing_setup(module) == 0 && set_up_functions(module) == 0 && ga_watch_setup(&reports) == 0 &&
            ga_run_setup() == 0)
            status = set_up_calls(calls);
    }
    PyEval_SaveThread();
    return status;
}
