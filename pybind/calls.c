//go:build gopy_binding

/* Native calls of asyncore's and asynchat's functions: what they share.
 *
 * recv() and send() save 1.0 of 3.6 us of an echo with 100 connections active, those of async_chat 0.8 of 3.2 us of a line: 0.34
 * handle_read(), 0.23 push(), 0.69 initiate_send(). _collect_incoming_data() and _get_data() save 0.07 of 0.76 us of a line that
 * is received only. */
#include "calls.h"
#include "tracing.h"

#include <errno.h>

struct ga_method ga_methods[M_COUNT];
struct ga_str ga_str;
PyObject *ga_socket_recv, *ga_socket_send;

static PyTypeObject *socket_type;

/* The head of CPython's socket object; ga_calls_setup tests on a socket whether it is. */
typedef struct {
    PyObject_HEAD int fd, family, type, protocol;
    void *errorhandler;
    int64_t timeout;
} socket_head;

int ga_plain_socket(PyObject *sock, PyObject *name, PyObject *method)
{
    if (!sock || Py_TYPE(sock) != socket_type || ((socket_head *)sock)->timeout != 0 || _PyType_Lookup(socket_type, name) != method)
        return -2;
    return ((socket_head *)sock)->fd;
}

PyObject *ga_peek(PyObject *self, PyObject *dict, PyObject *name)
{
    PyObject *value = _PyType_Lookup(Py_TYPE(self), name);
    if (value && Py_TYPE(value)->tp_descr_set)
        return NULL; /* a property; it may keep its value in the dict under its own name */
    value = PyDict_GetItemWithError(dict, name);
    if (value || PyErr_Occurred())
        return value;
    value = _PyType_Lookup(Py_TYPE(self), name); /* again: a key that was compared may have changed the class */
    return value && !Py_TYPE(value)->tp_descr_get ? value : NULL;
}

PyObject *ga_attribute(PyObject *self, PyObject *name)
{
    PyObject *dict = Py_XNewRef(ga_plain_dict(self)), *value = dict ? Py_XNewRef(ga_peek(self, dict, name)) : NULL;
    Py_XDECREF(dict);
    return value;
}

PyObject *ga_plain_dict(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (type->tp_getattro != PyObject_GenericGetAttr || type->tp_setattro != PyObject_GenericSetAttr)
        return NULL;
    PyObject **at = _PyObject_GetDictPtr(self);
    return at && *at && PyDict_CheckExact(*at) ? *at : NULL;
}

int ga_untouched(PyObject *found, int method)
{
    return found && found == ga_methods[method].function && PyFunction_GET_CODE(found) == ga_methods[method].code;
}

int ga_is_ours(PyObject *self, PyObject *dict, PyObject *name, int method)
{
    return ga_untouched(_PyType_Lookup(Py_TYPE(self), name), method) && !PyDict_GetItemWithError(dict, name) && !PyErr_Occurred();
}

int ga_may(int method)
{
    struct ga_method *m = &ga_methods[method];
    return m->function && PyFunction_GET_CODE(m->function) == m->code && !ga_caller_is_traced();
}

PyObject *ga_only_argument(const char *name, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    Py_ssize_t named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
    if (count + named != 1)
        return NULL;
    if (named && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), name))
        return NULL;
    return args[0];
}

void ga_calls_install(const vectorcallfunc *calls, int first, PyObject *functions)
{
    for (Py_ssize_t n = 0; n < PyTuple_GET_SIZE(functions); n++) {
        PyObject *function = PyTuple_GET_ITEM(functions, n);
        struct ga_method *m = &ga_methods[first + n];
        if (!PyFunction_Check(function) || m->function)
            continue;
        m->function = Py_NewRef(function);
        m->code = Py_NewRef(PyFunction_GET_CODE(function));
        m->python = ((PyFunctionObject *)function)->vectorcall;
        PyFunction_SetVectorcall((PyFunctionObject *)function, calls[n]);
    }
}

void ga_calls_end(void)
{
    for (int i = 0; i < M_COUNT; i++)
        if (ga_methods[i].function) {
            PyFunction_SetVectorcall((PyFunctionObject *)ga_methods[i].function, ga_methods[i].python);
            Py_CLEAR(ga_methods[i].function);
            Py_CLEAR(ga_methods[i].code);
        }
}

PyObject *ga_fall_back(int method, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyErr_Clear();
    /* It is held, because when the interpreter ends ours is released. */
    PyObject *function = Py_XNewRef(ga_methods[method].function);
    if (!function) {
        PyErr_SetString(PyExc_RuntimeError, "the interpreter is ending");
        return NULL;
    }
    PyObject *result = ga_methods[method].python(function, args - 1, (size_t)count + 1, keywords);
    Py_DECREF(function);
    return result;
}

int ga_is_disconnected(long error)
{
    return error == ECONNRESET || error == ENOTCONN || error == ESHUTDOWN || error == ECONNABORTED || error == EPIPE || error == EBADF;
}

int ga_call_handle_close(PyObject *self)
{
    PyObject *result = PyObject_CallMethodNoArgs(self, ga_str.handle_close);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

PyObject *ga_received_nothing(PyObject *self, int at_end)
{
    int status = ga_call_handle_close(self);
    if (status < 0 && at_end && PyErr_ExceptionMatches(PyExc_OSError)) {
        /* If handle_close() finds the connection lost in turn, it is called for that too. */
        PyObject *exc = PyErr_GetRaisedException();
        PyObject *number = ((PyOSErrorObject *)exc)->myerrno;
        if (number && PyLong_CheckExact(number) && ga_is_disconnected(PyLong_AsLong(number))) {
            Py_DECREF(exc);
            status = ga_call_handle_close(self);
        } else
            PyErr_SetRaisedException(exc);
    }
    return status < 0 ? NULL : Py_NewRef(ga_str.empty);
}

/* -- setting up -------------------------------------------------------------------------------- */

/* Whether a socket object begins as socket_head does; -1 with an exception set. */
static int socket_is_as_expected(void)
{
    int as_expected = 1;
    PyObject *sock = PyObject_CallNoArgs((PyObject *)socket_type), *result = NULL, *number = NULL;
    if (!sock)
        return -1;
    socket_head *head = (socket_head *)sock;
    if (!(number = PyObject_CallMethod(sock, "fileno", NULL)) || !(result = PyObject_CallMethod(sock, "settimeout", "d", 1.5)))
        goto done;
    as_expected = head->fd == PyLong_AsLong(number) && head->timeout == 1500000000;
    Py_SETREF(result, PyObject_CallMethod(sock, "setblocking", "i", 0));
    as_expected = as_expected && result && head->timeout == 0;
    if (result)
        Py_SETREF(result, PyObject_CallMethod(sock, "close", NULL));
    as_expected = as_expected && result && head->fd == -1;
done:
    Py_DECREF(sock);
    Py_XDECREF(number);
    Py_XDECREF(result);
    return PyErr_Occurred() ? -1 : as_expected;
}

int ga_calls_setup(PyTypeObject *socket_class)
{
#define INTERN(name) !(ga_str.name = PyUnicode_InternFromString(#name)) ||
    if (GA_STRINGS(INTERN) !(ga_str.empty = PyBytes_FromStringAndSize(NULL, 0)))
        return -1;
    socket_type = (PyTypeObject *)Py_NewRef((PyObject *)socket_class);
    int as_expected = socket_is_as_expected();
    PyObject *recv = _PyType_Lookup(socket_type, ga_str.recv), *send = _PyType_Lookup(socket_type, ga_str.send);
    /* The program may have replaced them. */
    if (as_expected > 0 && recv && Py_IS_TYPE(recv, &PyMethodDescr_Type) && send && Py_IS_TYPE(send, &PyMethodDescr_Type)) {
        ga_socket_recv = Py_NewRef(recv);
        ga_socket_send = Py_NewRef(send);
    }
    return as_expected < 0 ? -1 : 0;
}
