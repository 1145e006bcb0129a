/* signal.set_wakeup_fd() for C, in the main thread. It is in private data of CPython: the function of 3.13,
 * PySignal_SetWakeupFd, also changes warn_on_full_buffer, which belongs to the program. */
#define Py_BUILD_CORE
#include <Python.h>
#include <internal/pycore_runtime.h>
#include "wakeup_fd.h"

#include <errno.h>
#include <unistd.h>

int ga_set_wakeup_fd(int fd)
{
    int before = _PyRuntime.signals.wakeup.fd;
    _PyRuntime.signals.wakeup.fd = fd;
    return before;
}

/* Calls the function in Python; returns what that returns, or -2. Sets no exception. */
static long set_in_python(int fd, int warn)
{
    PyObject *signals = PyImport_ImportModule("_signal");
    PyObject *set = signals ? PyObject_GetAttrString(signals, "set_wakeup_fd") : NULL;
    PyObject *args = set ? Py_BuildValue("(i)", fd) : NULL;
    PyObject *how = args ? Py_BuildValue("{s:i}", "warn_on_full_buffer", warn) : NULL;
    PyObject *said = how ? PyObject_Call(set, args, how) : NULL;
    long before = said ? PyLong_AsLong(said) : -2;
    Py_XDECREF(signals);
    Py_XDECREF(set);
    Py_XDECREF(args);
    Py_XDECREF(how);
    Py_XDECREF(said);
    PyErr_Clear();
    return before;
}

/* Whether the interpreter has it where the headers say: what the function in Python returns and sets must show there. */
int ga_wakeup_fd_works(int fd)
{
    static int works = -1;
    if (PyThread_get_thread_ident() != _PyRuntime.main_thread)
        return 0;
    if (works >= 0)
        return works;
    int before = _PyRuntime.signals.wakeup.fd, warn = _PyRuntime.signals.wakeup.warn_on_full_buffer;
    works = set_in_python(fd, !warn) == before && _PyRuntime.signals.wakeup.fd == fd &&
            _PyRuntime.signals.wakeup.warn_on_full_buffer == !warn && set_in_python(fd, warn) == fd &&
            _PyRuntime.signals.wakeup.warn_on_full_buffer == warn;
    if (works)
        ga_set_wakeup_fd(before);
    return works;
}

/* As CPython does it, later and in the main thread. */
static int report(void *error)
{
    errno = (int)(intptr_t)error;
    PyErr_SetFromErrno(PyExc_OSError);
#if PY_VERSION_HEX >= 0x030D0000
    PyErr_FormatUnraisable("Exception ignored when trying to write to the signal wakeup fd");
#else
    _PyErr_WriteUnraisableMsg("when trying to write to the signal wakeup fd", NULL);
#endif
    return 0;
}

void ga_write_signals(int fd, const char *numbers, int count)
{
    for (int i = 0; i < count; i++)
        if (write(fd, numbers + i, 1) < 0 && (_PyRuntime.signals.wakeup.warn_on_full_buffer || (errno != EAGAIN && errno != EWOULDBLOCK)))
            Py_AddPendingCall(report, (void *)(intptr_t)errno);
}
