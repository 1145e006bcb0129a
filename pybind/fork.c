//go:build gopy_binding

/* Forks. A Go runtime does not survive one: of its threads the child has the forking one alone, and a lock or
 * a processor that another thread held is gone for good. So the child of a fork in a handler leaves the run by
 * a jump over Go's frames, and the child of any fork never calls Go again. */
#include "internal.h"

#include <pthread.h>
#include <setjmp.h>
#include <unistd.h>

/* A run's way out. */
typedef struct way_out {
    struct way_out *outer; /* of the run in whose handler this run was begun */
    long made;             /* what Run would have returned */
    jmp_buf at;
} way_out;

/* initial-exec: the general model would make the library need the dynamic linker beside libc. */
static __thread way_out *innermost __attribute__((tls_model("initial-exec")));
static PyCFunctionWithKeywords go_run;
static PyObject *go_module;

/* Runs in the child of any fork, with one thread and perhaps in a run. The parent's registrations live on in
 * the open files; these descriptors are only this process's copies. */
static void after_fork_in_child(void)
{
    ga_forked = 1;
    ga_guest_forked();
    for (ga_mirror *m = ga_mirrors; m; m = m->next) {
        ga_unlisten(m); /* another thread has forked, and that of the run is not here */
        ga_own_close(m);
    }
}

int ga_may_call_go(void)
{
    return !ga_forked && !(innermost && PyDict_GetItemString(PyImport_GetModuleDict(), "greenlet"));
}

PyObject *ga_call_go(PyObject *args)
{
    way_out here = {.outer = innermost};
    innermost = &here;
    PyObject *result;
    if (_setjmp(here.at) == 0)
        result = go_run(go_module, args, NULL);
    else
        result = PyErr_Occurred() ? NULL : PyLong_FromLong(here.made);
    innermost = here.outer;
    return result;
}

void ga_return_to_go(ga_mirror *m)
{
    if (ga_forked && innermost) {
        innermost->made = !m ? 0 : m->go.status == GA_FINISHED ? -1 : m->go.passes;
        _longjmp(innermost->at, 1);
    }
    PyEval_SaveThread();
}

int ga_fork_setup(PyObject *module)
{
    PyObject *wrapped = PyObject_GetAttrString(module, "pybind_Run");
    if (!wrapped || !PyCFunction_Check(wrapped)) {
        if (wrapped)
            PyErr_SetString(PyExc_TypeError, "pybind_Run is no built-in function");
        Py_XDECREF(wrapped);
        return -1;
    }
    go_run = (PyCFunctionWithKeywords)(void (*)(void))PyCFunction_GET_FUNCTION(wrapped);
    go_module = PyCFunction_GET_SELF(wrapped); /* the module keeps the function, and the function this */
    Py_DECREF(wrapped);
    if (pthread_atfork(NULL, NULL, after_fork_in_child)) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}
