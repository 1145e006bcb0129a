//go:build gopy_binding

/* The data path: native methods in the place of asyncore's and asynchat's own. Requires the GIL throughout.
 *
 * Each does in one step what the Python method does where nothing of the program's is in between: the socket is
 * exactly a socket.socket, non-blocking, its methods and the methods on the way are ours, the buffers are plain.
 * Anything else goes to the Python method that it replaced, which stays the definition of what is right. */
#include "methods.h"

struct ga_method ga_methods[M_COUNT];
struct ga_str ga_str;
PyTypeObject *ga_dispatcher;
PyObject *ga_socket_recv, *ga_socket_send;

static PyTypeObject *socket_type;

/* The head of CPython's socket object. ga_methods_setup proves it on a socket before anything uses it. */
typedef struct {
    PyObject_HEAD int fd, family, type, protocol;
    void *errorhandler;
    int64_t timeout;
} socket_head;

/* The descriptor of a socket whose ga_methods can be gone round, or -2 (-1 is a closed one). */
int ga_plain_socket(PyObject *sock, PyObject *name, PyObject *method)
{
    if (!sock || Py_TYPE(sock) != socket_type || ((socket_head *)sock)->timeout != 0 || _PyType_Lookup(socket_type, name) != method)
        return -2;
    return ((socket_head *)sock)->fd;
}

/* The instance's value of an attribute, or the class's; borrowed. NULL if there is none or it is computed, or with an
 * exception that a key of the dict raised. `dict` is the instance's, and the caller holds it. */
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

/* As ga_peek, owned. */
PyObject *ga_attribute(PyObject *self, PyObject *name)
{
    PyObject *dict = Py_XNewRef(ga_plain_dict(self)), *value = dict ? Py_XNewRef(ga_peek(self, dict, name)) : NULL;
    Py_XDECREF(dict);
    return value;
}

/* The instance's dict, borrowed, if its attributes are stored and found the ordinary way; else NULL. */
PyObject *ga_plain_dict(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (type->tp_getattro != PyObject_GenericGetAttr || type->tp_setattro != PyObject_GenericSetAttr)
        return NULL;
    PyObject **at = _PyObject_GetDictPtr(self);
    return at && *at && PyDict_CheckExact(*at) ? *at : NULL;
}

/* Whether self.name() is our method or the Python one that it replaced; 0 with an exception where a key raised. */
int ga_is_ours(PyObject *self, PyObject *dict, PyObject *name, int method)
{
    PyObject *found = _PyType_Lookup(Py_TYPE(self), name);
    return found && (found == ga_methods[method].native || found == ga_methods[method].python) && !PyDict_GetItemWithError(dict, name) &&
           !PyErr_Occurred();
}

/* The single argument called `name`, borrowed; NULL if the call does not have just that. */
PyObject *ga_only_argument(const char *name, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    Py_ssize_t named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
    if (count + named != 1)
        return NULL;
    if (named && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), name))
        return NULL;
    return args[0];
}

/* An attribute of asynchat's, owned; NULL with an exception set. */
PyObject *ga_asynchat(const char *name)
{
    PyObject *module = PyImport_ImportModule("asynchat"), *value = module ? PyObject_GetAttrString(module, name) : NULL;
    Py_XDECREF(module);
    return value;
}

/* The Python method that `method` replaced, owned; NULL with an exception set. */
static PyObject *replaced(int method)
{
    if (ga_methods[method].python)
        return Py_NewRef(ga_methods[method].python);
    /* The interpreter ends, and the class has it again: somebody kept the native one. */
    PyObject *module = method >= M_COLLECT ? NULL : PyImport_ImportModule("asyncore");
    PyObject *type = method >= M_COLLECT ? ga_asynchat("async_chat")
                     : module            ? PyObject_GetAttrString(module, method == M_SENDER_SEND ? "dispatcher_with_send" : "dispatcher")
                                         : NULL;
    PyObject *function = type ? PyObject_GetAttrString(type, ga_methods[method].name) : NULL;
    Py_XDECREF(module);
    Py_XDECREF(type);
    if (function == ga_methods[method].native) {
        Py_CLEAR(function);
        PyErr_SetString(PyExc_RuntimeError, "the interpreter is ending");
    }
    return function;
}

int ga_methods_end(void)
{
    int status = 0;
    ga_dispatcher = NULL;
    Py_CLEAR(ga_tools.sender_initiate);
    Py_CLEAR(ga_tools.handle_read_event);
    Py_CLEAR(ga_tools.handle_write_event);
    ga_chat_input_end();
    for (int i = 0; i < M_COUNT; i++) {
        struct ga_method *m = &ga_methods[i];
        PyObject *type = m->type, *python = m->python;
        m->type = m->python = NULL;
        if (type && PyDict_GetItemString(((PyTypeObject *)type)->tp_dict, m->name) == m->native &&
            PyObject_SetAttrString(type, m->name, python) < 0)
            status = -1;
        Py_XDECREF(type);
        Py_XDECREF(python);
    }
    return status;
}

/* Calls the Python method that `method` replaced with the arguments as they came. What the way here raised it raises again. */
PyObject *ga_fall_back(int method, PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyErr_Clear();
    Py_ssize_t all = count + (keywords ? PyTuple_GET_SIZE(keywords) : 0);
    PyObject *few[8], **with_self = few;
    if (all + 1 > 8 && !(with_self = PyMem_Malloc((size_t)(all + 1) * sizeof *with_self)))
        return PyErr_NoMemory();
    with_self[0] = self;
    for (Py_ssize_t i = 0; i < all; i++)
        with_self[i + 1] = args[i];
    PyObject *function = replaced(method);
    PyObject *result = function ? PyObject_Vectorcall(function, with_self, (size_t)count + 1, keywords) : NULL;
    Py_XDECREF(function);
    if (with_self != few)
        PyMem_Free(with_self);
    return result;
}

/* Puts native methods on a class, numbered from `first` on, each only where the class still has the function that
 * is to be replaced: `own` is a tuple of them. 0, or -1 with an exception set. */
int ga_install(PyTypeObject *type, PyMethodDef *definitions, int first, PyObject *own)
{
    for (Py_ssize_t n = 0; definitions[n].ml_name; n++) {
        Py_ssize_t i = first + n;
        PyObject *function = PyTuple_GetItem(own, n);
        if (!function)
            return -1;
        /* A descriptor of object: the Python function takes any object as self, so this one must. */
        ga_methods[i].native = PyDescr_NewMethod(&PyBaseObject_Type, &definitions[n]);
        ga_methods[i].python = Py_NewRef(function);
        ga_methods[i].type = Py_NewRef((PyObject *)type);
        ga_methods[i].name = definitions[n].ml_name;
        if (!ga_methods[i].native)
            return -1;
        if (PyDict_GetItemString(type->tp_dict, definitions[n].ml_name) == function &&
            PyObject_SetAttrString((PyObject *)type, definitions[n].ml_name, ga_methods[i].native) < 0)
            return -1;
    }
    return 0;
}

/* Whether socket objects begin as socket_head says. 0 or 1, or -1 with an exception set. */
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

int ga_methods_setup(PyObject *tools)
{
    PyObject *own, *sender_own, *dispatcher_class, *sender, *socket_class;
#define INTERN(name) !(ga_str.name = PyUnicode_InternFromString(#name)) ||
    if (GA_STRINGS(INTERN) 0)
        return -1;
    if (!(ga_str.empty = PyBytes_FromStringAndSize(NULL, 0)) ||
        !PyArg_ParseTuple(tools, "OO!O!OO!O", &dispatcher_class, &PyTuple_Type, &own, &PyTuple_Type, &sender_own, &sender, &PyType_Type,
                          &socket_class, &ga_tools.sender_initiate))
        return -1;
    if (!(ga_tools.handle_read_event = PyTuple_GetItem(own, 2)) || !(ga_tools.handle_write_event = PyTuple_GetItem(own, 3)))
        return -1;
    Py_INCREF(ga_tools.sender_initiate);
    Py_INCREF(ga_tools.handle_read_event);
    Py_INCREF(ga_tools.handle_write_event);
    Py_INCREF(socket_class);
    PyTypeObject *dispatcher = (PyTypeObject *)dispatcher_class;
    ga_watch_replacing(dispatcher);
    socket_type = (PyTypeObject *)socket_class;
    int as_expected = socket_is_as_expected();
    if (as_expected <= 0)
        return as_expected;
    ga_socket_recv = Py_XNewRef(_PyType_Lookup(socket_type, ga_str.recv));
    ga_socket_send = Py_XNewRef(_PyType_Lookup(socket_type, ga_str.send));
    /* A program may have replaced those before we came. */
    if (!ga_socket_recv || Py_TYPE(ga_socket_recv) != &PyMethodDescr_Type || !ga_socket_send ||
        Py_TYPE(ga_socket_send) != &PyMethodDescr_Type)
        return 0;
    ga_dispatcher = dispatcher;
    if (ga_install(dispatcher, ga_dispatcher_methods, M_RECV, own) < 0)
        return -1;
    return ga_install((PyTypeObject *)sender, ga_sender_methods, M_SENDER_SEND, sender_own);
}
