/* Whether a debugger, a profiler or a coverage tool sees the calls that are made. */
#include "tracing.h"

#define TOOLS 6 /* of sys.monitoring that programs can use */

static PyObject *get_tool; /* sys.monitoring.get_tool; owned */
static int may_be_monitored;

static int is_monitored(void)
{
    int found = 0;
    for (int i = 0; i < TOOLS && !found; i++) {
        PyObject *tool = PyObject_CallFunction(get_tool, "i", i);
        found = tool != Py_None; /* or an error: then there may be one */
        Py_XDECREF(tool);
    }
    PyErr_Clear();
    return found;
}

void ga_tracing_setup(void)
{
    PyObject *monitoring = PySys_GetObject("monitoring"); /* borrowed */
    get_tool = monitoring ? PyObject_GetAttrString(monitoring, "get_tool") : NULL;
    PyErr_Clear();
    may_be_monitored = !get_tool || is_monitored();
}

void ga_tracing_may_begin(void)
{
    may_be_monitored = 1;
}

static int has_tracer(const PyThreadState *thread)
{
    return thread->c_tracefunc || thread->c_profilefunc;
}

int ga_is_traced(void)
{
    return has_tracer(PyThreadState_Get()) || (may_be_monitored && get_tool && is_monitored());
}

int ga_caller_is_traced(void)
{
    PyThreadState *thread = PyThreadState_Get();
    if (has_tracer(thread) || !may_be_monitored)
        return has_tracer(thread);
#if PY_VERSION_HEX < 0x030D0000
    struct _PyInterpreterFrame *frame = thread->cframe->current_frame;
#else
    struct _PyInterpreterFrame *frame = thread->current_frame;
#endif
    /* CPython has prepared the code for the tools of sys.monitoring by now. It keeps the record when they have gone. */
    PyObject *code = frame ? PyUnstable_InterpreterFrame_GetCode(frame) : NULL;
    int is = code && PyCode_Check(code) && ((PyCodeObject *)code)->_co_monitoring && (!get_tool || is_monitored());
    Py_XDECREF(code);
    return is;
}
