//go:build gopy_binding

/* signal.set_wakeup_fd() for C, in the main thread. CPython 3.13 has a function for it, 3.12 private data. */
#define Py_BUILD_CORE
#include <Python.h>
#if PY_VERSION_HEX < 0x030D0000
#include <internal/pycore_runtime.h>
#endif
#include "wakeup_fd.h"

#if PY_VERSION_HEX >= 0x030D0000
int ga_wakeup_fd_works(int fd)
{
    (void)fd;
    return 1;
}

int ga_set_wakeup_fd(int fd)
{
    return PySignal_SetWakeupFd(fd);
}
#else
int ga_set_wakeup_fd(int fd)
{
    int before = _PyRuntime.signals.wakeup.fd;
    _PyRuntime.signals.wakeup.fd = fd;
    return before;
}

/* Whether it is where the headers say: what the function in Python returns and sets must be seen there. */
int ga_wakeup_fd_works(int fd)
{
    static int works = -1;
    if (works >= 0)
        return works;
    int before = _PyRuntime.signals.wakeup.fd, warn = _PyRuntime.signals.wakeup.warn_on_full_buffer;
    PyObject *signals = PyImport_ImportModule("_signal");
    PyObject *set = signals ? PyObject_GetAttrString(signals, "set_wakeup_fd") : NULL;
    PyObject *args = set ? Py_BuildValue("(i)", fd) : NULL;
    PyObject *how = args ? Py_BuildValue("{s:i}", "warn_on_full_buffer", warn) : NULL;
    PyObject *said = how ? PyObject_Call(set, args, how) : NULL;
    works = said && PyLong_AsLong(said) == before && _PyRuntime.signals.wakeup.fd == fd;
    if (works)
        ga_set_wakeup_fd(before);
    Py_XDECREF(signals);
    Py_XDECREF(set);
    Py_XDECREF(args);
    Py_XDECREF(how);
    Py_XDECREF(said);
    PyErr_Clear();
    return works;
}
#endif
