/* Native calls of asyncore's and asynchat's functions: what they share.
 *
 * recv() and send() save 1.0 of 3.6 us of an echo with 100 connections active, those of async_chat 0.8 of 3.2 us of a line: 0.34
 * handle_read(), 0.23 push(), 0.69 initiate_send(). _collect_incoming_data() and _get_data() save 0.07 of 0.76 us of a line that
 * is received only. */
#include "calls.h"
#include "tracing.h"

#include <errno.h>
#include <sys/socket.h>

struct ga_method ga_methods[M_COUNT];
PyObject *ga_empty, *ga_socket_recv, *ga_socket_send;

static PyTypeObject *socket_type;

int ga_plain_socket(PyObject *sock, PyObject *name, PyObject *method)
{
    if (!sock || Py_TYPE(sock) != socket_type || ((ga_socket *)sock)->timeout != 0 || _PyType_Lookup(socket_type, name) != method)
        return -2;
    return ((ga_socket *)sock)->fd;
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

PyObject *ga_call(ga_native *native, int method, const char *name, PyObject *function, PyObject *const *args, size_t flags,
                  PyObject *keywords)
{
    struct ga_method *m = &ga_methods[method];
    Py_ssize_t count = PyVectorcall_NARGS(flags), named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
    PyObject *dict = NULL, *result = GA_PYTHON;
    if (count && count + named == (name ? 2 : 1) && (!named || !PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), name)) &&
        m->function && PyFunction_GET_CODE(m->function) == m->code && !ga_caller_is_traced() && (dict = ga_plain_dict(args[0]))) {
        Py_INCREF(dict);
        result = native(args[0], dict, name ? args[1] : NULL);
        Py_DECREF(dict);
    }
    if (result == GA_PYTHON) {
        PyErr_Clear();
        return m->python(function, args, flags, keywords);
    }
    if (!result)
        ga_pass_through(function);
    return result;
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
        if (calls && calls[n])
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

int ga_is_disconnected(long error)
{
    return error == ECONNRESET || error == ENOTCONN || error == ESHUTDOWN || error == ECONNABORTED || error == EPIPE || error == EBADF;
}

int ga_call_handle_close(PyObject *self)
{
    PyObject *result = PyObject_CallMethodNoArgs(self, NAME(handle_close));
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
    return status < 0 ? NULL : Py_NewRef(ga_empty);
}

/* -- setting up -------------------------------------------------------------------------------- */

/* Whether the socket object begins as ga_socket does; -1 with an exception set. */
static int is_as_expected(PyObject *sock)
{
    const ga_socket *head = (ga_socket *)sock;
    PyObject *result = PyObject_CallMethod(sock, "settimeout", "d", 1.5);
    int fd = result ? PyObject_AsFileDescriptor(sock) : -1, is = fd >= 0 && head->fd == fd && head->timeout == 1500000000;
    is = is && head->family == AF_INET && head->type == SOCK_STREAM && head->protocol == 0;
    Py_XSETREF(result, is ? PyObject_CallMethod(sock, "setblocking", "i", 0) : NULL);
    is = result && head->timeout == 0;
    Py_XSETREF(result, is ? PyObject_CallMethod(sock, "close", NULL) : NULL);
    is = result && head->fd == -1;
    Py_XDECREF(result);
    return PyErr_Occurred() ? -1 : is;
}

int ga_calls_setup(PyTypeObject *socket_class)
{
    PyObject *sock = (ga_empty = PyBytes_FromStringAndSize(NULL, 0)) ? PyObject_CallNoArgs((PyObject *)socket_class) : NULL;
    int as_expected = sock ? is_as_expected(sock) : -1;
    Py_XDECREF(sock);
    socket_type = (PyTypeObject *)Py_NewRef((PyObject *)socket_class);
    PyObject *recv = _PyType_Lookup(socket_type, NAME(recv)), *send = _PyType_Lookup(socket_type, NAME(send));
    /* The program may have replaced them. */
    if (as_expected > 0 && recv && Py_IS_TYPE(recv, &PyMethodDescr_Type) && send && Py_IS_TYPE(send, &PyMethodDescr_Type)) {
        ga_socket_recv = Py_NewRef(recv);
        ga_socket_send = Py_NewRef(send);
    }
    return as_expected < 0 ? -1 : 0;
}
