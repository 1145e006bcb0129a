/* Input of an async_chat that is not delivered yet. */
#include "calls_chat_unread.h"

static ga_unread *unreads;
static PyObject *async_chat; /* the class; owned, as what follows */
static PyObject *descriptor; /* of ac_in_buffer; in the class since it was needed first */

int ga_unread_is_missing(ga_unread *u)
{
    PyObject *dict = u->gone ? NULL : ga_plain_dict(u->self);
    return dict && !PyDict_GetItemWithError(dict, NAME(ac_in_buffer)) && !PyErr_Occurred();
}

/* Sets the attribute to what is left, unless the program has set it. */
static int put_back(ga_unread *u)
{
    if (u->gone)
        return 0;
    u->gone = 1;
    PyObject *dict = Py_XNewRef(ga_plain_dict(u->self));
    int there = dict ? PyDict_Contains(dict, NAME(ac_in_buffer)) : 0;
    Py_XDECREF(dict);
    if (there)
        return there < 0 ? -1 : 0;
    PyObject *rest = PySequence_GetSlice(u->data, u->at, PY_SSIZE_T_MAX);
    int status = rest ? PyObject_SetAttr(u->self, NAME(ac_in_buffer), rest) : -1;
    Py_XDECREF(rest);
    return status;
}

int ga_unread_end(ga_unread *u)
{
    PyObject *exc = PyErr_GetRaisedException();
    int status = put_back(u);
    if (exc) {
        PyErr_Clear();
        PyErr_SetRaisedException(exc);
    }
    for (ga_unread **at = &unreads; *at; at = &(*at)->next)
        if (*at == u) {
            *at = u->next;
            break;
        }
    Py_DECREF(u->data);
    PyMem_Free(u);
    return exc ? -1 : status;
}

/* Whether the descriptor makes the attribute of this channel while it is missing. */
static int can_be_missing(PyObject *self)
{
    PyObject *found = _PyType_Lookup(Py_TYPE(self), NAME(ac_in_buffer));
    if (!found && !PyObject_SetAttr(async_chat, NAME(ac_in_buffer), descriptor))
        found = _PyType_Lookup(Py_TYPE(self), NAME(ac_in_buffer));
    PyErr_Clear(); /* no memory; then the input is copied more often */
    return found == descriptor;
}

ga_unread *ga_unread_begin(PyObject *self, PyObject *data)
{
    if (PyBytes_GET_SIZE(data) < GA_LONG_INPUT || !ga_plain_dict(self) || !can_be_missing(self))
        return NULL;
    ga_unread *u = PyMem_Malloc(sizeof *u);
    if (!u || PyObject_GenericSetAttr(self, NAME(ac_in_buffer), NULL) < 0) {
        PyErr_Clear();
        PyMem_Free(u);
        return NULL;
    }
    *u = (ga_unread){unreads, self, Py_NewRef(data), 0, 0};
    return unreads = u;
}

static PyObject *put_back_all(PyObject *Py_UNUSED(module), PyObject *chat)
{
    for (ga_unread *u = unreads; u; u = u->next)
        if (u->self == chat && !u->gone)
            return put_back(u) < 0 ? NULL : Py_NewRef(Py_None);
    Py_RETURN_NONE;
}

int ga_unread_setup(PyObject *chat_class, PyObject *of)
{
    static PyMethodDef definition = {"put_back", put_back_all, METH_O,
                                     "put_back(chat)\n--\n\nSet its ac_in_buffer to what is not delivered yet."};
    PyObject *function = PyCFunction_New(&definition, NULL);
    int status = function ? PyObject_SetAttrString(of, "natively", function) : -1;
    Py_XDECREF(function);
    async_chat = Py_NewRef(chat_class);
    descriptor = Py_NewRef(of);
    return status;
}

void ga_unread_end_all(void)
{
    Py_CLEAR(async_chat);
    Py_CLEAR(descriptor);
}
