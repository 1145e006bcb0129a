/* Calls of Go and the way back, which a forked child takes by a jump. */
#include "crossing.h"

#include <setjmp.h>

/* A run's way out. */
typedef struct way_out {
    struct way_out *outer; /* of the run in whose handler this one began */
    long made;             /* what Run would have returned */
    jmp_buf at;
} way_out;

/* With the general model the library would need the dynamic linker besides libc. */
static __thread way_out *innermost __attribute__((tls_model("initial-exec")));
static PyCFunctionWithKeywords go_run;
static PyObject *go_module;

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

void ga_return_to_go(long made)
{
    if (ga_forked && innermost) {
        innermost->made = made;
        _longjmp(innermost->at, 1);
    }
    PyEval_SaveThread();
}

int ga_crossing_setup(PyObject *module)
{
    PyObject *wrapped = PyObject_GetAttrString(module, "pybind_Run");
    if (!wrapped)
        return -1;
    go_run = (PyCFunctionWithKeywords)(void (*)(void))PyCFunction_GET_FUNCTION(wrapped);
    go_module = PyCFunction_GET_SELF(wrapped); /* borrowed: the module holds the function, which holds this */
    Py_DECREF(wrapped);
    return 0;
}
