//go:build gopy_binding

/* What all others need of CPython: the GIL, the clock, names, lengths and tracebacks. */
#include "cpython.h"

#include <time.h>
#include <unistd.h>

PyObject *ga_names[N_COUNT];
struct ga_tools ga_tools;
int ga_forked, ga_ended;

int ga_cpython_setup(void)
{
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
        [N_SOCKET] = "socket",
        [N_HANDLE_EXPT_EVENT] = "handle_expt_event",
        [N_HANDLE_CLOSE] = "handle_close",
        [N_READ] = "read",
        [N_WRITE] = "write",
        [N_EXCEPTION] = "_exception",
        [N_READWRITE] = "readwrite",
    };
    for (int i = 0; i < N_COUNT; i++)
        if (!(ga_names[i] = PyUnicode_InternFromString(names[i])))
            return -1;
    return 0;
}

void ga_take_gil(void)
{
    PyThreadState *thread = PyGILState_GetThisThreadState();
    while (!thread) /* the interpreter is gone, and the process is about to end */
        pause();
    PyEval_RestoreThread(thread);
}

double ga_now(void)
{
    struct timespec now;
#ifdef __APPLE__
    clock_gettime(CLOCK_UPTIME_RAW, &now);
#else
    clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int ga_reserve(void *items, int32_t *size, int32_t need, size_t item)
{
    if (need <= *size)
        return 0;
    int32_t bigger = *size ? *size : 4;
    while (bigger < need)
        bigger *= 2;
    void *moved = PyMem_RawRealloc(*(void **)items, (size_t)bigger * item);
    if (!moved)
        return -1;
    *(void **)items = moved;
    *size = bigger;
    return 0;
}

const Py_ssize_t *ga_length_of(PyObject *value)
{
    if (PyList_CheckExact(value) || PyByteArray_CheckExact(value) || Py_IS_TYPE(value, ga_tools.deque) ||
        Py_IS_TYPE(value, ga_tools.backlog))
        return &((PyVarObject *)value)->ob_size;
    if (PyDict_CheckExact(value))
        return &((PyDictObject *)value)->ma_used;
    if (Py_IS_TYPE(value, &PySet_Type))
        return &((PySetObject *)value)->used;
    return NULL;
}

#if PY_VERSION_HEX >= 0x030D0000
PyAPI_FUNC(void) _PyTraceback_Add(const char *, const char *, int); /* still exported, in no header for extensions */
#endif

void ga_pass_through(PyObject *function)
{
    if (!function || !PyFunction_Check(function))
        return;
    PyCodeObject *code = (PyCodeObject *)PyFunction_GET_CODE(function);
    PyObject *exc = PyErr_GetRaisedException(), *traceback = PyException_GetTraceback(exc);
    /* It is there if the native call fell back to the Python function. */
    PyCodeObject *outer = traceback ? PyFrame_GetCode(((PyTracebackObject *)traceback)->tb_frame) : NULL;
    int shows = outer == code;
    Py_XDECREF(outer);
    Py_XDECREF(traceback);
    PyErr_SetRaisedException(exc);
    if (shows)
        return;
    const char *name = PyUnicode_AsUTF8(code->co_name), *file = PyUnicode_AsUTF8(code->co_filename);
    if (name && file)
        _PyTraceback_Add(name, file, code->co_firstlineno);
}
