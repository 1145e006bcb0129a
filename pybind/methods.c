//go:build gopy_binding

/* The data path: native calls of asyncore's and asynchat's own functions. Requires the GIL throughout.
 *
 * Each does in one step what the Python method does where nothing of the program's is in between: the socket is
 * exactly a socket.socket, non-blocking, its methods and the methods on the way are ours, the buffers are plain.
 * Anything else takes the Python call, which stays the definition of what is right. */
#include "methods.h"

#include <frameobject.h>

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

/* Whether the function that was found is ours, and as we knew it. */
int ga_untouched(PyObject *found, int method)
{
    return found && found == ga_methods[method].function && PyFunction_GET_CODE(found) == ga_methods[method].code;
}

/* Whether self.name() is our method; 0 with an exception where a key raised. */
int ga_is_ours(PyObject *self, PyObject *dict, PyObject *name, int method)
{
    return ga_untouched(_PyType_Lookup(Py_TYPE(self), name), method) && !PyDict_GetItemWithError(dict, name) && !PyErr_Occurred();
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
    /* It was called after all, as the way back of the native call. */
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

/* Whether a debugger, a profiler or a coverage tool wants to see what the thread runs. Tools of sys.monitoring show in
 * the code that calls, which CPython has prepared for them by then. */
static int watched(void)
{
    PyThreadState *thread = PyThreadState_Get();
    if (thread->c_tracefunc || thread->c_profilefunc)
        return 1;
#if PY_VERSION_HEX < 0x030D0000
    struct _PyInterpreterFrame *frame = thread->cframe->current_frame;
#else
    struct _PyInterpreterFrame *frame = thread->current_frame;
#endif
    PyObject *code = frame ? PyUnstable_InterpreterFrame_GetCode(frame) : NULL;
    int is = code && PyCode_Check(code) && ((PyCodeObject *)code)->_co_monitoring;
    Py_XDECREF(code);
    return is;
}

int ga_may(int method)
{
    struct ga_method *m = &ga_methods[method];
    return m->function && PyFunction_GET_CODE(m->function) == m->code && !watched();
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

void ga_methods_end(void)
{
    ga_dispatcher = NULL;
    Py_CLEAR(ga_tools.sender_initiate);
    Py_CLEAR(ga_tools.handle_read_event);
    Py_CLEAR(ga_tools.handle_write_event);
    ga_chat_input_end();
    for (int i = 0; i < M_COUNT; i++)
        if (ga_methods[i].function) {
            PyFunction_SetVectorcall((PyFunctionObject *)ga_methods[i].function, ga_methods[i].python);
            Py_CLEAR(ga_methods[i].function);
            Py_CLEAR(ga_methods[i].code);
        }
}

/* Makes the Python call with the arguments as they came: `self` stands before them. What the way here raised it raises
 * again. */
PyObject *ga_fall_back(int method, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyErr_Clear();
    /* The function that is called lives through it; ours may be gone at the interpreter's end. */
    PyObject *function = Py_XNewRef(ga_methods[method].function);
    if (!function) {
        PyErr_SetString(PyExc_RuntimeError, "the interpreter is ending");
        return NULL;
    }
    PyObject *result = ga_methods[method].python(function, args - 1, (size_t)count + 1, keywords);
    Py_DECREF(function);
    return result;
}

/* Gives the functions of the tuple `own` native calls; numbered from `first` on. 0, or -1 with an exception set. */
int ga_install(const vectorcallfunc *calls, int first, PyObject *own)
{
    for (Py_ssize_t n = 0; n < PyTuple_GET_SIZE(own); n++) {
        PyObject *function = PyTuple_GET_ITEM(own, n);
        struct ga_method *m = &ga_methods[first + n];
        if (!PyFunction_Check(function) || m->function)
            continue;
        m->function = Py_NewRef(function);
        m->code = Py_NewRef(PyFunction_GET_CODE(function));
        m->python = ((PyFunctionObject *)function)->vectorcall;
        PyFunction_SetVectorcall((PyFunctionObject *)function, calls[n]);
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
    PyObject *own, *dispatcher_class, *socket_class;
#define INTERN(name) !(ga_str.name = PyUnicode_InternFromString(#name)) ||
    if (GA_STRINGS(INTERN) 0)
        return -1;
    if (!(ga_str.empty = PyBytes_FromStringAndSize(NULL, 0)) ||
        !PyArg_ParseTuple(tools, "OO!(OOO)O!", &dispatcher_class, &PyTuple_Type, &own, &ga_tools.handle_read_event,
                          &ga_tools.handle_write_event, &ga_tools.sender_initiate, &PyType_Type, &socket_class))
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
    return ga_install(ga_dispatcher_calls, M_RECV, own);
}
