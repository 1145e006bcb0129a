/* Native call of dispatcher.accept.
 *
 * A connection that is accepted for one exchange takes 35.1 us, and 37.1 if socket.accept() is called (20
 * interleaved rounds): that makes enum members of the family and the type, of which a constructor in Python makes numbers again. */
#include "calls_accept.h"

#include <errno.h>

/* What socket.accept() and the constructor use. */
enum { ACCEPT, INIT, ACCEPT_FD, NEW, FAMILY, TYPE, PROTO, USED };
static const int names[USED] = {N_accept, N___init__, N__accept, N___new__, N_family, N_type, N_proto};

static PyTypeObject *class;
static PyObject *used[USED]; /* what the class had when the extension was set up; owned */
static PyObject *codes[2];   /* of accept and __init__, owned; NULL if these must be called */
static unsigned version;     /* of the class when it was last found to have that */

/* Whether it has that, and its module has the class. */
static int is_untouched(void)
{
    for (int i = ACCEPT; i <= INIT; i++)
        if (!codes[i] || PyFunction_GET_CODE(used[i]) != codes[i])
            return 0;
    if (PyDict_GetItemWithError(PyFunction_GET_GLOBALS(used[ACCEPT]), NAME(socket)) != (PyObject *)class)
        return 0;
    if (version && class->tp_version_tag == version)
        return 1;
    for (int i = 0; i < USED; i++)
        if (_PyType_Lookup(class, ga_names[names[i]]) != used[i])
            return 0;
    version = class->tp_version_tag;
    return 1;
}

/* Whether the exception that is set says that there is nobody to accept. */
static int is_nobody(void)
{
    if (!PyErr_ExceptionMatches(PyExc_OSError))
        return 0;
    PyObject *exc = PyErr_GetRaisedException(), *number = ((PyOSErrorObject *)exc)->myerrno;
    long error = number && PyLong_CheckExact(number) ? PyLong_AsLong(number) : 0;
    PyErr_SetRaisedException(exc);
    return error == EWOULDBLOCK || error == EAGAIN || error == ECONNABORTED;
}

/* What socket.accept() makes of the descriptor and the address. */
static PyObject *made(const ga_socket *listening, PyObject *accepted)
{
    PyObject *args = Py_BuildValue("(iiiO)", listening->family, listening->type, listening->protocol, PyTuple_GET_ITEM(accepted, 0));
    PyObject *sock = args ? class->tp_new(class, args, NULL) : NULL, *result = NULL, *none_open = PyLong_FromLong(0);
    if (sock && none_open && class->tp_base->tp_init(sock, args, NULL) == 0 && PyObject_SetAttr(sock, NAME(_io_refs), none_open) == 0 &&
        PyObject_SetAttr(sock, NAME(_closed), Py_False) == 0)
        result = PyTuple_Pack(2, sock, PyTuple_GET_ITEM(accepted, 1));
    else
        ga_pass_through(used[INIT]);
    Py_XDECREF(args);
    Py_XDECREF(sock);
    Py_XDECREF(none_open);
    return result;
}

PyObject *ga_accept(PyObject *self, PyObject *dict, PyObject *Py_UNUSED(argument))
{
    PyObject *sock = ga_peek(self, dict, NAME(socket));
    if (!sock || !is_untouched() || ga_plain_socket(sock, NAME(_accept), used[ACCEPT_FD]) == -2)
        return GA_PYTHON;
    Py_INCREF(sock); /* another thread may replace it */
    PyObject *accepted = PyObject_CallOneArg(used[ACCEPT_FD], sock), *result = NULL;
    if (accepted)
        result = made((ga_socket *)sock, accepted);
    else if (is_nobody()) {
        PyErr_Clear();
        result = Py_NewRef(Py_None);
    }
    Py_XDECREF(accepted);
    Py_DECREF(sock);
    if (!result)
        ga_pass_through(used[ACCEPT]);
    return result;
}

/* The function's code if that uses just these names, owned; NULL with an exception set, or without one. The program may have
 * replaced the function, and a newer CPython may do something else. */
static PyObject *known_code(PyObject *function, PyObject *uses)
{
    PyObject *code = PyFunction_Check(function) ? PyFunction_GET_CODE(function) : NULL;
    PyObject *has = code && uses ? PyObject_GetAttrString(code, "co_names") : NULL;
    int same = has ? PyObject_RichCompareBool(has, uses, Py_EQ) : 0;
    Py_XDECREF(has);
    Py_XDECREF(uses);
    return same > 0 ? Py_NewRef(code) : NULL;
}

int ga_accept_setup(PyTypeObject *socket_class)
{
    class = (PyTypeObject *)Py_NewRef((PyObject *)socket_class);
    for (int i = 0; i < USED; i++)
        if (!(used[i] = Py_XNewRef(_PyType_Lookup(class, ga_names[names[i]]))))
            return 0;
    if (!Py_IS_TYPE(used[ACCEPT_FD], &PyMethodDescr_Type) || PyDescr_TYPE(used[ACCEPT_FD]) != class->tp_base ||
        class->tp_new != class->tp_base->tp_new || !Py_IS_TYPE(used[FAMILY], &PyProperty_Type) ||
        !Py_IS_TYPE(used[TYPE], &PyProperty_Type) || !Py_IS_TYPE(used[PROTO], &PyMemberDescr_Type))
        return 0;
    codes[ACCEPT] = known_code(used[ACCEPT], Py_BuildValue("(ssssssss)", "_accept", "socket", "family", "type", "proto",
                                                           "getdefaulttimeout", "gettimeout", "setblocking"));
    codes[INIT] = known_code(used[INIT],
                             Py_BuildValue("(sssssss)", "AF_INET", "SOCK_STREAM", "_socket", "socket", "__init__", "_io_refs", "_closed"));
    return PyErr_Occurred() ? -1 : 0;
}
