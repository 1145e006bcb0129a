//go:build gopy_binding

/* Whether somebody counts the calls that the program makes: a tracer, a profiler, a tool of sys.monitoring. Predicates that
 * need not be called are called then all the same. Requires the GIL throughout. */
#include "internal.h"

#define TOOLS 6 /* of sys.monitoring that programs can use */

static PyObject *get_tool; /* sys.monitoring.get_tool; owned */
static int may_be_monitored;

static int is_monitored(void)
{
    int found = 0;
    for (int i = 0; i < TOOLS && !found; i++) {
        PyObject *tool = PyObject_CallFunction(get_tool, "i", i);
        found = tool != Py_None; /* an error too: then it cannot be said */
        Py_XDECREF(tool);
    }
    PyErr_Clear();
    return found;
}

int ga_tracing_setup(void)
{
    PyObject *monitoring = PySys_GetObject("monitoring"); /* borrowed */
    get_tool = monitoring ? PyObject_GetAttrString(monitoring, "get_tool") : NULL;
    PyErr_Clear();
    may_be_monitored = get_tool && is_monitored();
    return 0;
}

void ga_tracing_may_begin(void)
{
    may_be_monitored = get_tool != NULL;
}

int ga_is_traced(void)
{
    const PyThreadState *thread = PyThreadState_Get();
    if (thread->c_tracefunc || thread->c_profilefunc)
        return 1;
    return may_be_monitored && is_monitored();
}
