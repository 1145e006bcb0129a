//go:build gopy_binding

/* The data path: native methods in the place of asyncore's and asynchat's own. Requires the GIL throughout.
 *
 * Each does in one step what the Python method does where nothing of the program's is in between: the socket is
 * exactly a socket.socket, non-blocking, its methods and the methods on the way are ours, the buffers are plain.
 * Anything else goes to the Python method that it replaced, which stays the definition of what is right. */
#define _GNU_SOURCE /* memmem */
#include "internal.h"

#include <errno.h>
#include <sys/socket.h>

enum { M_RECV, M_SEND, M_SENDER_SEND, M_COLLECT, M_GET_DATA, M_PUSH, M_HANDLE_READ, M_INITIATE_SEND, M_COUNT };

static struct {
    const char *name;
    PyObject *python; /* the function that was replaced; owned */
    PyObject *native; /* our method descriptor; owned */
} methods[M_COUNT];

#define IN_PLACE (1 << 12) /* bytes; as asynchat's */

static PyTypeObject *dispatcher, *socket_type;
static PyObject *socket_recv, *socket_send; /* what socket.socket has for them; owned */
static PyObject *io_failed;                 /* async_chat's way with an OSError out of send and recv; owned */
static PyObject *collect_rest;              /* asynchat._collect; owned */
static PyObject *get_terminator;            /* async_chat's; owned */

static PyObject *s_socket, *s_recv, *s_send, *s_debug, *s_initiate_send, *s_out_buffer, *s_incoming, *s_producer_fifo, *s_connected,
    *s_handle_close, *s_ac_out_buffer_size, *s_join, *s_ac_in_buffer_size, *s_ac_in_buffer, *s_terminator, *s_get_terminator,
    *s_collect_incoming_data, *s_found_terminator, *s_more, *s_appendleft, *empty;

/* The head of CPython's socket object. ga_methods_setup proves it on a socket before anything uses it. */
typedef struct {
    PyObject_HEAD int fd, family, type, protocol;
    void *errorhandler;
    int64_t timeout;
} socket_head;

/* The descriptor of a socket whose methods can be gone round, or -2 (-1 is a closed one). */
static int plain_socket(PyObject *sock, PyObject *name, PyObject *method)
{
    if (!sock || Py_TYPE(sock) != socket_type || ((socket_head *)sock)->timeout != 0 || _PyType_Lookup(socket_type, name) != method)
        return -2;
    return ((socket_head *)sock)->fd;
}

/* The instance's value of an attribute, or the class's; borrowed. NULL, without an exception, if there is none or
 * finding out would run code. `dict` is the instance's. */
static PyObject *peek(PyObject *self, PyObject *dict, PyObject *name)
{
    PyObject *value = PyDict_GetItemWithError(dict, name);
    if (value)
        return value;
    value = _PyType_Lookup(Py_TYPE(self), name);
    return value && !Py_TYPE(value)->tp_descr_get ? value : NULL;
}

/* The instance's dict, borrowed, if its attributes are stored and found the ordinary way; else NULL. */
static PyObject *plain_dict(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (type->tp_getattro != PyObject_GenericGetAttr || type->tp_setattro != PyObject_GenericSetAttr)
        return NULL;
    PyObject **at = _PyObject_GetDictPtr(self);
    return at && *at && PyDict_CheckExact(*at) ? *at : NULL;
}

/* Whether self.name() is our method or the Python one that it replaced. */
static int is_ours(PyObject *self, PyObject *dict, PyObject *name, int method)
{
    PyObject *found = _PyType_Lookup(Py_TYPE(self), name);
    return found && (found == methods[method].native || found == methods[method].python) && !PyDict_GetItemWithError(dict, name);
}

/* As asyncore._DISCONNECTED. */
static int is_disconnected(int error)
{
    return error == ECONNRESET || error == ENOTCONN || error == ESHUTDOWN || error == ECONNABORTED || error == EPIPE || error == EBADF;
}

/* 0, or -1 with an exception set. */
static int call_handle_close(PyObject *self)
{
    PyObject *result = PyObject_CallMethodNoArgs(self, s_handle_close);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* The single argument called `name`, borrowed; NULL if the call does not have just that. */
static PyObject *only_argument(const char *name, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    Py_ssize_t named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
    if (count + named != 1)
        return NULL;
    if (named && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), name))
        return NULL;
    return args[0];
}

/* Calls the Python method that `method` replaced with the arguments as they came. */
static PyObject *fall_back(int method, PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    Py_ssize_t all = count + (keywords ? PyTuple_GET_SIZE(keywords) : 0);
    PyObject *few[8], **with_self = few;
    if (all + 1 > 8 && !(with_self = PyMem_Malloc((size_t)(all + 1) * sizeof *with_self)))
        return PyErr_NoMemory();
    with_self[0] = self;
    for (Py_ssize_t i = 0; i < all; i++)
        with_self[i + 1] = args[i];
    PyObject *result = PyObject_Vectorcall(methods[method].python, with_self, (size_t)count + 1, keywords);
    if (with_self != few)
        PyMem_Free(with_self);
    return result;
}

/* recv(2) on a non-blocking socket. Data as bytes, empty at the end; NULL with errno set, or errno 0 and an
 * exception. */
static PyObject *receive(int fd, Py_ssize_t size)
{
    static char buffer[1 << 16];
    static int large; /* the last one was: then the next is received in place */
    if (large || size > (Py_ssize_t)sizeof buffer) {
        PyObject *bytes = PyBytes_FromStringAndSize(NULL, size);
        if (!bytes) {
            errno = 0;
            return NULL;
        }
        ssize_t got = recv(fd, PyBytes_AS_STRING(bytes), (size_t)size, MSG_DONTWAIT);
        if (got < 0) {
            int error = errno;
            Py_DECREF(bytes);
            errno = error;
            return NULL;
        }
        large = got > 1 << 14;
        if (got < size && _PyBytes_Resize(&bytes, got) < 0)
            errno = 0;
        return bytes;
    }
    ssize_t got = recv(fd, buffer, (size_t)size, MSG_DONTWAIT);
    if (got < 0)
        return NULL;
    large = got > 1 << 14;
    PyObject *bytes = PyBytes_FromStringAndSize(buffer, got);
    if (!bytes)
        errno = 0;
    return bytes;
}

/* dispatcher.recv */
static PyObject *m_recv(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *argument = only_argument("buffer_size", args, count, keywords), *dict = plain_dict(self);
    Py_ssize_t size = argument && PyLong_CheckExact(argument) ? PyLong_AsSsize_t(argument) : -1;
    if (size < 0)
        PyErr_Clear();
    int fd = dict && size >= 0 ? plain_socket(peek(self, dict, s_socket), s_recv, socket_recv) : -2;
    if (fd == -2)
        return fall_back(M_RECV, self, args, count, keywords);
    PyObject *data;
    while (!(data = receive(fd, size)) && errno == EINTR)
        if (PyErr_CheckSignals() < 0)
            return NULL;
    if (data && PyBytes_GET_SIZE(data))
        return data;
    int error = errno;
    if (!data && (PyErr_Occurred() || !is_disconnected(error))) {
        errno = error;
        return PyErr_Occurred() ? NULL : PyErr_SetFromErrno(PyExc_OSError);
    }
    int at_end = data != NULL;
    Py_XDECREF(data);
    int status = call_handle_close(self);
    if (status < 0 && at_end && PyErr_ExceptionMatches(PyExc_OSError)) {
        /* A handle_close() that finds the connection lost in its turn is called for that too. */
        PyObject *exc = PyErr_GetRaisedException();
        PyObject *number = ((PyOSErrorObject *)exc)->myerrno;
        if (number && PyLong_CheckExact(number) && is_disconnected((int)PyLong_AsLong(number))) {
            Py_DECREF(exc);
            status = call_handle_close(self);
        } else
            PyErr_SetRaisedException(exc);
    }
    return status < 0 ? NULL : Py_NewRef(empty);
}

/* send(2) on a non-blocking socket: how much, or -1 with errno set, or -2 with an exception. */
static Py_ssize_t transmit_raw(int fd, const void *start, Py_ssize_t size)
{
    ssize_t sent;
    while ((sent = send(fd, start, (size_t)size, MSG_DONTWAIT)) < 0 && errno == EINTR)
        if (PyErr_CheckSignals() < 0)
            return -2;
    return sent;
}

/* The same of any object with a buffer. */
static Py_ssize_t transmit(int fd, PyObject *data)
{
    Py_buffer view = {0};
    const char *start = PyBytes_CheckExact(data) ? PyBytes_AS_STRING(data) : NULL;
    Py_ssize_t size = start ? PyBytes_GET_SIZE(data) : 0;
    if (!start) {
        if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
            return -2;
        start = view.buf;
        size = view.len;
    }
    Py_ssize_t sent = transmit_raw(fd, start, size);
    if (view.obj) {
        int error = errno;
        PyBuffer_Release(&view);
        errno = error;
    }
    return sent;
}

/* What dispatcher.send makes of a send(2) that failed with `error`: 0 bytes, or -1 with an exception set. */
static int send_refused(PyObject *self, int error)
{
    if (error == EWOULDBLOCK)
        return 0;
    if (is_disconnected(error))
        return call_handle_close(self);
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

/* dispatcher.send */
static PyObject *m_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *data = only_argument("data", args, count, keywords), *dict = plain_dict(self);
    int fd = data && dict ? plain_socket(peek(self, dict, s_socket), s_send, socket_send) : -2;
    if (fd == -2)
        return fall_back(M_SEND, self, args, count, keywords);
    Py_ssize_t sent = transmit(fd, data);
    if (sent == -2)
        return NULL;
    if (sent < 0) {
        if (send_refused(self, errno) < 0)
            return NULL;
        sent = 0;
    }
    return PyLong_FromSsize_t(sent);
}

/* Sends data through a plain socket while nothing waits before it; what is left goes to *rest, an owned
 * reference or NULL for nothing. 0, or an errno, or -1 with an exception set. */
static int send_at_once(int fd, PyObject *data, PyObject **rest)
{
    *rest = NULL;
    Py_ssize_t sent = transmit(fd, data), size = PyBytes_GET_SIZE(data);
    int error = sent == -1 ? errno : 0;
    if (sent == size)
        return 0;
    *rest = sent <= 0 ? Py_NewRef(data) : PyBytes_FromStringAndSize(PyBytes_AS_STRING(data) + sent, size - sent);
    return sent == -2 || !*rest ? -1 : error;
}

/* dispatcher_with_send.send */
static PyObject *m_sender_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *data = only_argument("data", args, count, keywords), *dict = plain_dict(self);
    if (!data || !dict || !PyBytes_CheckExact(data) || PyBytes_GET_SIZE(data) > 1 << 16)
        goto python;
    PyObject *debug = peek(self, dict, s_debug), *waiting = PyDict_GetItemWithError(dict, s_out_buffer);
    PyObject *initiate = _PyType_Lookup(Py_TYPE(self), s_initiate_send), *way = _PyType_Lookup(dispatcher, s_send);
    if (debug != Py_False || !waiting || !PyBytes_CheckExact(waiting) || PyBytes_GET_SIZE(waiting) || initiate != ga_tools.sender_initiate ||
        PyDict_GetItemWithError(dict, s_initiate_send) || (way != methods[M_SEND].native && way != methods[M_SEND].python))
        goto python;
    int fd = plain_socket(peek(self, dict, s_socket), s_send, socket_send);
    if (fd == -2)
        goto python;
    PyObject *rest;
    int error = send_at_once(fd, data, &rest);
    if (!rest && error == 0)
        Py_RETURN_NONE;
    int status = rest ? PyObject_SetAttr(self, s_out_buffer, rest) : -1;
    Py_XDECREF(rest);
    if (status < 0 || error < 0 || (error && send_refused(self, error) < 0))
        return NULL;
    Py_RETURN_NONE;
python:
    return fall_back(M_SENDER_SEND, self, args, count, keywords);
}

/* async_chat._collect_incoming_data */
static PyObject *m_collect(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *data = only_argument("data", args, count, keywords), *dict = plain_dict(self);
    PyObject *incoming = dict ? PyDict_GetItemWithError(dict, s_incoming) : NULL;
    if (!data || !incoming || !PyList_CheckExact(incoming))
        return fall_back(M_COLLECT, self, args, count, keywords);
    if (PyList_Append(incoming, data) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* async_chat._get_data */
static PyObject *m_get_data(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *dict = plain_dict(self);
    PyObject *incoming = dict ? PyDict_GetItemWithError(dict, s_incoming) : NULL;
    if (count || keywords || !incoming || !PyList_CheckExact(incoming))
        return fall_back(M_GET_DATA, self, args, count, keywords);
    Py_INCREF(incoming);
    PyObject *data;
    if (PyList_GET_SIZE(incoming) == 1 && PyBytes_CheckExact(PyList_GET_ITEM(incoming, 0)))
        data = Py_NewRef(PyList_GET_ITEM(incoming, 0));
    else
        data = PyObject_CallMethodOneArg(empty, s_join, incoming);
    if (data && PyList_SetSlice(incoming, 0, PyList_GET_SIZE(incoming), NULL) < 0)
        Py_CLEAR(data);
    Py_DECREF(incoming);
    return data;
}

/* An OSError is set: async_chat's own handle_error() gets it. */
static PyObject *refuse(PyObject *self)
{
    PyObject *exc = PyErr_GetRaisedException();
    PyObject *result = PyObject_CallFunctionObjArgs(io_failed, self, exc, NULL);
    Py_DECREF(exc);
    return result;
}

/* async_chat.push, where it comes down to one send(2) */
static PyObject *m_push(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *data = only_argument("data", args, count, keywords), *dict = plain_dict(self);
    if (!data || !dict || !PyBytes_CheckExact(data) || !PyBytes_GET_SIZE(data))
        goto python;
    PyObject *size = peek(self, dict, s_ac_out_buffer_size), *fifo = PyDict_GetItemWithError(dict, s_producer_fifo);
    if (!size || !PyLong_CheckExact(size) || PyLong_AsSsize_t(size) < PyBytes_GET_SIZE(data) || !fifo || Py_TYPE(fifo) != ga_tools.deque ||
        Py_SIZE(fifo) || peek(self, dict, s_connected) != Py_True || !is_ours(self, dict, s_send, M_SEND) ||
        !is_ours(self, dict, s_initiate_send, M_INITIATE_SEND))
        goto python;
    int fd = plain_socket(peek(self, dict, s_socket), s_send, socket_send);
    if (fd == -2)
        goto python;
    PyObject *rest;
    int error = send_at_once(fd, data, &rest);
    if (!rest && error == 0)
        Py_RETURN_NONE;
    PyObject *added = rest ? PyObject_CallMethod(fifo, "append", "O", rest) : NULL;
    Py_XDECREF(rest);
    Py_XDECREF(added);
    if (!added || error < 0)
        return NULL;
    if (error == 0 || send_refused(self, error) == 0)
        Py_RETURN_NONE;
    return PyErr_ExceptionMatches(PyExc_OSError) ? refuse(self) : NULL;
python:
    PyErr_Clear();
    return fall_back(M_PUSH, self, args, count, keywords);
}

/* What follows `sent` bytes of `first`, owned; a long rest as a view, which copies nothing. */
static PyObject *rest_of(PyObject *first, Py_ssize_t sent, Py_ssize_t size)
{
    if (PyBytes_CheckExact(first) && size - sent < IN_PLACE)
        return PyBytes_FromStringAndSize(PyBytes_AS_STRING(first) + sent, size - sent);
    PyObject *view = PyMemoryView_Check(first) ? Py_NewRef(first) : PyMemoryView_FromObject(first);
    PyObject *rest = view ? PySequence_GetSlice(view, sent, size) : NULL;
    Py_XDECREF(view);
    return rest;
}

/* Whether it is a producer for sure: slicing it raises TypeError, and it counts as true. */
static int is_producer(PyObject *first)
{
    PyTypeObject *type = Py_TYPE(first);
    return first != Py_None && !(type->tp_as_mapping && (type->tp_as_mapping->mp_subscript || type->tp_as_mapping->mp_length)) &&
           !(type->tp_as_sequence && (type->tp_as_sequence->sq_item || type->tp_as_sequence->sq_length)) &&
           !(type->tp_as_number && type->tp_as_number->nb_bool);
}

/* Replaces a producer at the front of the queue by what it gives, or takes it out. 0, or -1 with an exception set. */
static int ask_producer(PyObject *fifo, PyObject *producer)
{
    PyObject *data = PyObject_CallMethodNoArgs(producer, s_more), *done = NULL;
    int any = data ? PyObject_IsTrue(data) : -1;
    int status = any < 0 ? -1 : 0;
    if (any == 1) {
        done = PyObject_CallMethodOneArg(fifo, s_appendleft, data);
        status = done ? 0 : -1;
    } else if (any == 0)
        status = PySequence_DelItem(fifo, 0);
    Py_XDECREF(data);
    Py_XDECREF(done);
    return status;
}

/* async_chat.initiate_send, of bytes and producers through a plain socket */
static PyObject *m_initiate_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    if (count || keywords)
        return fall_back(M_INITIATE_SEND, self, args, count, keywords);
    for (;;) {
        PyObject *dict = plain_dict(self), *fifo = dict ? PyDict_GetItemWithError(dict, s_producer_fifo) : NULL;
        PyObject *limit = dict ? peek(self, dict, s_ac_out_buffer_size) : NULL;
        if (!fifo || Py_TYPE(fifo) != ga_tools.deque || !limit || !PyLong_CheckExact(limit) ||
            peek(self, dict, s_connected) != Py_True || !is_ours(self, dict, s_send, M_SEND))
            break;
        if (!Py_SIZE(fifo))
            Py_RETURN_NONE;
        int fd = plain_socket(peek(self, dict, s_socket), s_send, socket_send);
        Py_ssize_t most = PyLong_AsSsize_t(limit);
        if (fd == -2 || most <= 0)
            break;
        Py_INCREF(fifo);
        PyObject *first = PySequence_GetItem(fifo, 0);
        int status = first ? 0 : -1, mine = 1, more = 0;
        Py_buffer view = {0};
        if (first && is_producer(first)) {
            status = ask_producer(fifo, first);
            more = 1;
        } else if (first && (PyBytes_CheckExact(first) || PyMemoryView_Check(first)) && PyObject_GetBuffer(first, &view, PyBUF_SIMPLE) == 0 &&
                   view.len) {
            Py_ssize_t size = view.len, sent = transmit_raw(fd, view.buf, size < most ? size : most);
            int error = errno;
            if (sent == -2 || (sent == -1 && send_refused(self, error) < 0))
                status = -1;
            else if (sent == size)
                status = PySequence_DelItem(fifo, 0);
            else if (sent > 0) {
                PyObject *rest = rest_of(first, sent, size);
                status = rest ? PySequence_SetItem(fifo, 0, rest) : -1;
                Py_XDECREF(rest);
            }
        } else
            mine = 0;
        if (view.obj)
            PyBuffer_Release(&view);
        if (!mine)
            PyErr_Clear(); /* no buffer of bytes after all */
        Py_XDECREF(first);
        Py_DECREF(fifo);
        if (!mine)
            break;
        if (status < 0)
            return more || !PyErr_ExceptionMatches(PyExc_OSError) ? NULL : refuse(self);
        if (!more)
            Py_RETURN_NONE;
    }
    PyErr_Clear();
    return fall_back(M_INITIATE_SEND, self, args, count, keywords);
}

/* -- async_chat.handle_read ------------------------------------------------------------------------ */

#define SHORT_TERMINATOR 64 /* bytes; asynchat knows a better way for longer ones */

/* 0, or -1 with an exception set. */
static int tell(PyObject *self, PyObject *method, PyObject *data)
{
    PyObject *args[3] = {NULL, self, data};
    PyObject *result = PyObject_VectorcallMethod(method, args + 1, (data ? 2 : 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* The input buffer, owned, if it is what this file left there; else NULL without an exception. */
static PyObject *input(PyObject *self, const char **start, Py_ssize_t *size)
{
    PyObject *dict = plain_dict(self), *buffer = dict ? PyDict_GetItemWithError(dict, s_ac_in_buffer) : NULL;
    if (buffer && PyBytes_CheckExact(buffer)) {
        *start = PyBytes_AS_STRING(buffer);
        *size = PyBytes_GET_SIZE(buffer);
    } else if (buffer && (PyObject *)Py_TYPE(buffer) == ga_tools.backlog) {
        *start = PyByteArray_AS_STRING(buffer);
        *size = PyByteArray_GET_SIZE(buffer);
    } else
        return NULL;
    return Py_NewRef(buffer);
}

/* Takes `size` bytes off the front of the input, whatever it is by now. 0, or -1 with an exception set. */
static int drop(PyObject *self, Py_ssize_t size)
{
    const char *start;
    Py_ssize_t there;
    PyObject *buffer = input(self, &start, &there), *rest = NULL;
    int status = -1;
    if (!buffer) { /* the program has put something else there */
        if ((buffer = PyObject_GetAttr(self, s_ac_in_buffer)))
            rest = PySequence_GetSlice(buffer, size, PY_SSIZE_T_MAX);
    } else if (there - size >= IN_PLACE) {
        PyObject *backlog = (PyObject *)Py_TYPE(buffer) == ga_tools.backlog ? Py_NewRef(buffer) : PyObject_CallOneArg(ga_tools.backlog, buffer);
        if (backlog && PySequence_DelSlice(backlog, 0, size) == 0)
            rest = Py_NewRef(backlog);
        Py_XDECREF(backlog);
    } else
        rest = there > size ? PyBytes_FromStringAndSize(start + size, there - size) : Py_NewRef(empty);
    if (rest)
        status = rest == buffer ? 0 : PyObject_SetAttr(self, s_ac_in_buffer, rest);
    Py_XDECREF(buffer);
    Py_XDECREF(rest);
    return status;
}

/* Hands the first `size` bytes of the input to collect_incoming_data. 0, or -1 with an exception set. */
static int collect_front(PyObject *self, PyObject *buffer, const char *start, Py_ssize_t there, Py_ssize_t size)
{
    PyObject *data = size == there && PyBytes_CheckExact(buffer) ? Py_NewRef(buffer) : PyBytes_FromStringAndSize(start, size);
    if (!data)
        return -1;
    int status = tell(self, s_collect_incoming_data, data);
    Py_DECREF(data);
    return status;
}

/* As asynchat.find_prefix_at_end. */
static Py_ssize_t prefix_at_end(const char *start, Py_ssize_t size, const char *needle, Py_ssize_t needed)
{
    for (Py_ssize_t n = needed - 1 < size ? needed - 1 : size; n > 0; n--)
        if (memcmp(start + size - n, needle, (size_t)n) == 0)
            return n;
    return 0;
}

/* self.get_terminator(), owned; NULL with an exception set. */
static PyObject *terminator_of(PyObject *self)
{
    PyObject *dict = plain_dict(self);
    if (dict && _PyType_Lookup(Py_TYPE(self), s_get_terminator) == get_terminator && !PyDict_GetItemWithError(dict, s_get_terminator)) {
        PyObject *terminator = peek(self, dict, s_terminator);
        if (terminator)
            return Py_NewRef(terminator);
    }
    return PyErr_Occurred() ? NULL : PyObject_CallMethodNoArgs(self, s_get_terminator);
}

/* What asynchat._collect does. 0, or -1 with an exception set. */
static int collect_all(PyObject *self)
{
    for (;;) {
        const char *start;
        Py_ssize_t there;
        PyObject *buffer = input(self, &start, &there);
        Py_XDECREF(buffer);
        if (!buffer)
            break;
        if (!there)
            return 0;
        PyObject *terminator = terminator_of(self);
        if (!terminator)
            return -1;
        /* Only now: a get_terminator() of the program's may have moved the buffer. */
        buffer = input(self, &start, &there);
        if (!buffer || !there) {
            Py_XDECREF(buffer);
            Py_DECREF(terminator);
            break;
        }
        Py_ssize_t length = PyBytes_CheckExact(terminator) ? PyBytes_GET_SIZE(terminator) : -1;
        int status = 0, known = 1;
        const char *at;
        if (terminator == Py_None || length == 0) {
            status = collect_front(self, buffer, start, there, there);
            if (status == 0)
                status = PyObject_SetAttr(self, s_ac_in_buffer, empty);
        } else if (length < 0 || length > SHORT_TERMINATOR)
            known = 0; /* a number, or what only Python knows to deal with */
        else if ((at = memmem(start, (size_t)there, PyBytes_AS_STRING(terminator), (size_t)length))) {
            Py_ssize_t line = at - start;
            if (line)
                status = collect_front(self, buffer, start, there, line);
            if (status == 0 && (status = drop(self, line + length)) == 0)
                status = tell(self, s_found_terminator, NULL);
        } else {
            Py_ssize_t begun = prefix_at_end(start, there, PyBytes_AS_STRING(terminator), length);
            if (begun < there && (status = collect_front(self, buffer, start, there, there - begun)) == 0)
                status = drop(self, there - begun);
            if (begun) {
                Py_DECREF(buffer);
                Py_DECREF(terminator);
                return status;
            }
        }
        Py_DECREF(buffer);
        Py_DECREF(terminator);
        if (!known)
            break;
        if (status < 0)
            return -1;
    }
    PyObject *result = PyObject_CallOneArg(collect_rest, self);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* async_chat.handle_read */
static PyObject *m_handle_read(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *dict = plain_dict(self);
    PyObject *buffer = dict && !count && !keywords ? PyDict_GetItemWithError(dict, s_ac_in_buffer) : NULL;
    if (!buffer || !(PyBytes_CheckExact(buffer) || (PyObject *)Py_TYPE(buffer) == ga_tools.backlog) || !is_ours(self, dict, s_recv, M_RECV))
        return fall_back(M_HANDLE_READ, self, args, count, keywords);
    PyObject *size = PyObject_GetAttr(self, s_ac_in_buffer_size);
    PyObject *data = size ? m_recv(self, &size, 1, NULL) : NULL;
    Py_XDECREF(size);
    if (!data) {
        if (!size || !PyErr_ExceptionMatches(PyExc_OSError))
            return NULL;
        if (PyErr_ExceptionMatches(PyExc_BlockingIOError)) {
            PyErr_Clear();
            Py_RETURN_NONE;
        }
        return refuse(self);
    }
    /* recv() may have called handle_close(), which may have done anything: look again. */
    buffer = PyObject_GetAttr(self, s_ac_in_buffer);
    int status = -1;
    if (buffer && PyBytes_CheckExact(buffer) && PyBytes_GET_SIZE(buffer) == 0 && PyBytes_CheckExact(data))
        status = PyBytes_GET_SIZE(data) ? PyObject_SetAttr(self, s_ac_in_buffer, data) : 0;
    else if (buffer) {
        PyObject *both = (PyObject *)Py_TYPE(buffer) == ga_tools.backlog ? PySequence_InPlaceConcat(buffer, data) : PySequence_Concat(buffer, data);
        status = both ? PyObject_SetAttr(self, s_ac_in_buffer, both) : -1;
        Py_XDECREF(both);
    }
    Py_XDECREF(buffer);
    Py_DECREF(data);
    if (status < 0 || collect_all(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

#define WAY (METH_FASTCALL | METH_KEYWORDS)
#define FUNCTION(f) (PyCFunction)(void (*)(void))(f)
static PyMethodDef definitions[M_COUNT] = {
    [M_RECV] = {"recv", FUNCTION(m_recv), WAY, "recv(self, buffer_size)\n--\n\nAs asyncore.dispatcher.recv, natively."},
    [M_SEND] = {"send", FUNCTION(m_send), WAY, "send(self, data)\n--\n\nAs asyncore.dispatcher.send, natively."},
    [M_SENDER_SEND] = {"send", FUNCTION(m_sender_send), WAY, "send(self, data)\n--\n\nAs asyncore.dispatcher_with_send.send, natively."},
    [M_COLLECT] = {"_collect_incoming_data", FUNCTION(m_collect), WAY, "_collect_incoming_data(self, data)\n--\n\n"},
    [M_GET_DATA] = {"_get_data", FUNCTION(m_get_data), WAY, "_get_data(self)\n--\n\n"},
    [M_PUSH] = {"push", FUNCTION(m_push), WAY, "push(self, data)\n--\n\nAs asynchat.async_chat.push, natively."},
    [M_HANDLE_READ] = {"handle_read", FUNCTION(m_handle_read), WAY, "handle_read(self)\n--\n\nAs asynchat.async_chat.handle_read, natively."},
    [M_INITIATE_SEND] = {"initiate_send", FUNCTION(m_initiate_send), WAY, "initiate_send(self)\n--\n\nAs asynchat.async_chat.initiate_send, natively."},
};

/* Puts our methods on a class, each only where the class still has the function that is to be replaced: `own`
 * is a tuple of them. 0, or -1 with an exception set. */
static int install(PyTypeObject *type, int first, int last, PyObject *own)
{
    for (int i = first; i <= last; i++) {
        PyObject *function = PyTuple_GetItem(own, i - first);
        if (!function)
            return -1;
        /* A descriptor of object: the Python function takes any object as self, so this one must. */
        methods[i].native = PyDescr_NewMethod(&PyBaseObject_Type, &definitions[i]);
        methods[i].python = Py_NewRef(function);
        if (!methods[i].native)
            return -1;
        if (PyDict_GetItemString(type->tp_dict, definitions[i].ml_name) == function &&
            PyObject_SetAttrString((PyObject *)type, definitions[i].ml_name, methods[i].native) < 0)
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
    static const struct {
        PyObject **at;
        const char *name;
    } names[] = {{&s_socket, "socket"}, {&s_recv, "recv"}, {&s_send, "send"}, {&s_debug, "debug"},
                 {&s_initiate_send, "initiate_send"}, {&s_out_buffer, "out_buffer"}, {&s_incoming, "incoming"},
                 {&s_producer_fifo, "producer_fifo"}, {&s_connected, "connected"}, {&s_handle_close, "handle_close"},
                 {&s_ac_out_buffer_size, "ac_out_buffer_size"}, {&s_join, "join"},
                 {&s_ac_in_buffer_size, "ac_in_buffer_size"}, {&s_ac_in_buffer, "ac_in_buffer"}, {&s_terminator, "terminator"},
                 {&s_get_terminator, "get_terminator"}, {&s_collect_incoming_data, "collect_incoming_data"},
                 {&s_found_terminator, "found_terminator"},
                 {&s_more, "more"}, {&s_appendleft, "appendleft"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!(*names[i].at = PyUnicode_InternFromString(names[i].name)))
            return -1;
    if (!(empty = PyBytes_FromStringAndSize(NULL, 0)) ||
        !PyArg_ParseTuple(tools, "OO!O!OO!O", &dispatcher_class, &PyTuple_Type, &own, &PyTuple_Type, &sender_own, &sender,
                          &PyType_Type, &socket_class, &ga_tools.sender_initiate))
        return -1;
    if (!(ga_tools.handle_read_event = PyTuple_GetItem(own, 2)) || !(ga_tools.handle_write_event = PyTuple_GetItem(own, 3)))
        return -1;
    dispatcher = (PyTypeObject *)dispatcher_class;
    ga_watch_replacing(dispatcher);
    socket_type = (PyTypeObject *)socket_class;
    int as_expected = socket_is_as_expected();
    if (as_expected <= 0)
        return as_expected;
    socket_recv = Py_XNewRef(_PyType_Lookup(socket_type, s_recv));
    socket_send = Py_XNewRef(_PyType_Lookup(socket_type, s_send));
    /* A program may have replaced those before we came. */
    if (!socket_recv || Py_TYPE(socket_recv) != &PyMethodDescr_Type || !socket_send || Py_TYPE(socket_send) != &PyMethodDescr_Type)
        return 0;
    if (install(dispatcher, M_RECV, M_SEND, own) < 0)
        return -1;
    return install((PyTypeObject *)sender, M_SENDER_SEND, M_SENDER_SEND, sender_own);
}

int ga_chat_methods(intptr_t tools)
{
    ga_take_gil();
    PyObject *chat, *own;
    int status = -1;
    if (!socket_send)
        status = 0; /* no way round a socket: the Python methods stay */
    else if (PyArg_ParseTuple((PyObject *)tools, "O!O!OOO", &PyType_Type, &chat, &PyTuple_Type, &own, &collect_rest, &get_terminator, &io_failed)) {
        Py_INCREF((PyObject *)tools); /* for good */
        status = install((PyTypeObject *)chat, M_COLLECT, M_INITIATE_SEND, own);
    }
    PyEval_SaveThread();
    return status;
}
