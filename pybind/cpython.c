/* What all others need of CPython: the GIL, the clock, names, lengths and tracebacks. */
#include "cpython.h"

#include <time.h>
#include <unistd.h>

PyObject *ga_names[N_COUNT];
struct ga_tools ga_tools;
int ga_forked, ga_ended, ga_loops;

int ga_cpython_setup(void)
{
#define GA_SPELLED(name) #name,
    static const char *const names[N_COUNT] = {GA_DECIDING(GA_SPELLED) GA_OTHERS(GA_SPELLED)};
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
    const char *name = PyUnicode_AsUTF8(code->co_name), *file = PyUnicode_AsUTF8(code->co_filename);
    if (name && file)
        _PyTraceback_Add(name, file, code->co_firstlineno);
}
