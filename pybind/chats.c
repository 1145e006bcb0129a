//go:build gopy_binding

/* Native methods of async_chat. See methods.c. */
#define _GNU_SOURCE /* memmem */
#include "methods.h"

#include <errno.h>

static PyObject *io_failed;      /* async_chat's way with an OSError out of send and recv; owned */
static PyObject *collect_rest;   /* asynchat._collect; owned */
static PyObject *get_terminator; /* async_chat's; owned */

/* async_chat._collect_incoming_data */
static PyObject *m_collect_in(PyObject *self, PyObject *dict, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *data = ga_only_argument("data", args, count, keywords);
    PyObject *incoming = data && dict ? ga_peek(self, dict, ga_str.incoming) : NULL;
    if (!incoming || !PyList_CheckExact(incoming))
        return ga_fall_back(M_COLLECT, self, args, count, keywords);
    if (PyList_Append(incoming, data) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static GA_IN_DICT(m_collect);

/* async_chat._get_data */
static PyObject *m_get_data_in(PyObject *self, PyObject *dict, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *incoming = dict ? ga_peek(self, dict, ga_str.incoming) : NULL;
    if (count || keywords || !incoming || !PyList_CheckExact(incoming))
        return ga_fall_back(M_GET_DATA, self, args, count, keywords);
    Py_INCREF(incoming);
    PyObject *data;
    if (PyList_GET_SIZE(incoming) == 1 && PyBytes_CheckExact(PyList_GET_ITEM(incoming, 0)))
        data = Py_NewRef(PyList_GET_ITEM(incoming, 0));
    else
        data = PyObject_CallMethodOneArg(ga_str.empty, ga_str.join, incoming);
    if (data && PyList_SetSlice(incoming, 0, PyList_GET_SIZE(incoming), NULL) < 0)
        Py_CLEAR(data);
    Py_DECREF(incoming);
    return data;
}

static GA_IN_DICT(m_get_data);

/* An OSError is set: async_chat's own handle_error() gets it. */
static PyObject *refuse(PyObject *self)
{
    PyObject *exc = PyErr_GetRaisedException();
    PyObject *result = PyObject_CallFunctionObjArgs(io_failed, self, exc, NULL);
    Py_DECREF(exc);
    return result;
}

/* async_chat.push, where it comes down to one send(2) */
static PyObject *m_push_in(PyObject *self, PyObject *dict, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *data = ga_only_argument("data", args, count, keywords);
    if (!data || !dict || !PyBytes_CheckExact(data) || !PyBytes_GET_SIZE(data))
        goto python;
    PyObject *size = ga_peek(self, dict, ga_str.ac_out_buffer_size);
    if (!size || !PyLong_CheckExact(size) || PyLong_AsSsize_t(size) < PyBytes_GET_SIZE(data) ||
        ga_peek(self, dict, ga_str.connected) != Py_True || !ga_is_ours(self, dict, ga_str.send, M_SEND) ||
        !ga_is_ours(self, dict, ga_str.initiate_send, M_INITIATE_SEND))
        goto python;
    int fd = ga_plain_socket(ga_peek(self, dict, ga_str.socket), ga_str.send, ga_socket_send);
    PyObject *fifo = fd == -2 ? NULL : ga_peek(self, dict, ga_str.producer_fifo);
    if (!fifo || Py_TYPE(fifo) != ga_tools.deque || Py_SIZE(fifo))
        goto python;
    Py_INCREF(fifo);
    PyObject *rest;
    int error = ga_send_at_once(fd, data, &rest);
    PyObject *exc = error < 0 ? PyErr_GetRaisedException() : NULL;
    PyObject *added = rest ? PyObject_CallMethod(fifo, "append", "O", rest) : NULL;
    int lost = rest && !added;
    Py_DECREF(fifo);
    Py_XDECREF(rest);
    if (added)
        ga_mirrors_touch(); /* nothing tells of a queue that is filled in place */
    Py_XDECREF(added);
    if (exc)
        PyErr_SetRaisedException(exc);
    if (lost || error < 0)
        return NULL;
    if (error == 0 || ga_send_refused(self, error) == 0)
        Py_RETURN_NONE;
    return PyErr_ExceptionMatches(PyExc_OSError) ? refuse(self) : NULL;
python:
    return ga_fall_back(M_PUSH, self, args, count, keywords);
}

static GA_IN_DICT(m_push);

/* What follows `sent` bytes of `first`, owned; a long rest as a view, which copies nothing. */
static PyObject *rest_of(PyObject *first, Py_ssize_t sent, Py_ssize_t size)
{
    if (PyBytes_CheckExact(first) && size - sent < GA_IN_PLACE)
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
    return first != Py_None && !PyType_Check(first) &&
           !(type->tp_as_mapping && (type->tp_as_mapping->mp_subscript || type->tp_as_mapping->mp_length)) &&
           !(type->tp_as_sequence && (type->tp_as_sequence->sq_item || type->tp_as_sequence->sq_length)) &&
           !(type->tp_as_number && type->tp_as_number->nb_bool);
}

/* Puts what a producer gives before it in the queue, or takes it out. 0, or -1 with an exception set. */
static int ask_producer(PyObject *self, PyObject *producer)
{
    PyObject *data = PyObject_CallMethodNoArgs(producer, ga_str.more), *done = NULL;
    int any = data ? PyObject_IsTrue(data) : -1;
    PyObject *fifo = any < 0 ? NULL : PyObject_GetAttr(self, ga_str.producer_fifo); /* only now: it may be another one */
    int status = -1;
    if (fifo && any) {
        done = PyObject_CallMethodOneArg(fifo, ga_str.appendleft, data);
        status = done ? 0 : -1;
    } else if (fifo)
        status = PySequence_DelItem(fifo, 0);
    Py_XDECREF(fifo);
    Py_XDECREF(data);
    Py_XDECREF(done);
    return status;
}

/* async_chat.initiate_send, of bytes and producers through a plain socket */
static PyObject *m_initiate_send_in(PyObject *self, PyObject *dict, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    if (count || keywords)
        return ga_fall_back(M_INITIATE_SEND, self, args, count, keywords);
    while (dict && dict == ga_plain_dict(self)) { /* a producer may have given it another one */
        PyObject *limit = ga_peek(self, dict, ga_str.ac_out_buffer_size);
        Py_ssize_t most = limit && PyLong_CheckExact(limit) ? PyLong_AsSsize_t(limit) : -1;
        if (most <= 0 || ga_peek(self, dict, ga_str.connected) != Py_True || !ga_is_ours(self, dict, ga_str.send, M_SEND))
            break;
        int fd = ga_plain_socket(ga_peek(self, dict, ga_str.socket), ga_str.send, ga_socket_send);
        PyObject *fifo = ga_peek(self, dict, ga_str.producer_fifo);
        if (!fifo || Py_TYPE(fifo) != ga_tools.deque)
            break;
        if (!Py_SIZE(fifo))
            Py_RETURN_NONE;
        if (fd == -2)
            break;
        Py_INCREF(fifo);
        PyObject *first = PySequence_GetItem(fifo, 0);
        int status = first ? 0 : -1, mine = 1, more = 0;
        Py_buffer view = {0};
        if (first && is_producer(first)) {
            status = ask_producer(self, first);
            more = 1;
        } else if (first && (PyBytes_CheckExact(first) || (PyMemoryView_Check(first) && PyMemoryView_GET_BUFFER(first)->itemsize == 1)) &&
                   PyObject_GetBuffer(first, &view, PyBUF_SIMPLE) == 0 && view.len) {
            Py_ssize_t size = view.len, sent = ga_transmit(fd, view.buf, size < most ? size : most);
            int error = errno;
            if (sent == -2 || (sent == -1 && ga_send_refused(self, error) < 0))
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
    return ga_fall_back(M_INITIATE_SEND, self, args, count, keywords);
}

static GA_IN_DICT(m_initiate_send);

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
    PyObject *buffer = ga_attribute(self, ga_str.ac_in_buffer);
    if (buffer && PyBytes_CheckExact(buffer)) {
        *start = PyBytes_AS_STRING(buffer);
        *size = PyBytes_GET_SIZE(buffer);
    } else if (buffer && (PyObject *)Py_TYPE(buffer) == ga_tools.backlog) {
        *start = PyByteArray_AS_STRING(buffer);
        *size = PyByteArray_GET_SIZE(buffer);
    } else {
        Py_CLEAR(buffer);
        PyErr_Clear(); /* reading the attribute raises it again */
    }
    return buffer;
}

/* Takes `size` bytes off the front of the input, whatever it is by now. 0, or -1 with an exception set. */
static int drop(PyObject *self, Py_ssize_t size)
{
    const char *start;
    Py_ssize_t there;
    PyObject *buffer = input(self, &start, &there), *rest = NULL;
    int status = -1;
    if (!buffer) { /* the program has put something else there */
        if ((buffer = PyObject_GetAttr(self, ga_str.ac_in_buffer)))
            rest = PySequence_GetSlice(buffer, size, PY_SSIZE_T_MAX);
    } else if (there - size >= GA_IN_PLACE) {
        PyObject *backlog =
            (PyObject *)Py_TYPE(buffer) == ga_tools.backlog ? Py_NewRef(buffer) : PyObject_CallOneArg(ga_tools.backlog, buffer);
        if (backlog && PySequence_DelSlice(backlog, 0, size) == 0)
            rest = Py_NewRef(backlog);
        Py_XDECREF(backlog);
    } else
        rest = there > size ? PyBytes_FromStringAndSize(start + size, there - size) : Py_NewRef(ga_str.empty);
    if (rest)
        status = rest == buffer ? 0 : PyObject_SetAttr(self, ga_str.ac_in_buffer, rest);
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
    int status = tell(self, ga_str.collect_incoming_data, data);
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
    PyObject *dict = Py_XNewRef(ga_plain_dict(self)), *terminator = NULL;
    if (dict && _PyType_Lookup(Py_TYPE(self), ga_str.get_terminator) == get_terminator &&
        !PyDict_GetItemWithError(dict, ga_str.get_terminator) && !PyErr_Occurred())
        terminator = Py_XNewRef(ga_peek(self, dict, ga_str.terminator));
    Py_XDECREF(dict);
    if (terminator)
        return terminator;
    PyErr_Clear(); /* the call raises it again */
    return PyObject_CallMethodNoArgs(self, ga_str.get_terminator);
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
                status = PyObject_SetAttr(self, ga_str.ac_in_buffer, ga_str.empty);
        } else if (length < 0 || length > SHORT_TERMINATOR)
            known = 0; /* a number, or what only Python knows to deal with */
        else if ((at = memmem(start, (size_t)there, PyBytes_AS_STRING(terminator), (size_t)length))) {
            Py_ssize_t line = at - start;
            if (line)
                status = collect_front(self, buffer, start, there, line);
            if (status == 0 && (status = drop(self, line + length)) == 0)
                status = tell(self, ga_str.found_terminator, NULL);
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
    PyObject *rest = collect_rest ? Py_NewRef(collect_rest) : ga_asynchat("_collect");
    PyObject *result = rest ? PyObject_CallOneArg(rest, self) : NULL;
    Py_XDECREF(rest);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* async_chat.handle_read */
static PyObject *m_handle_read_in(PyObject *self, PyObject *dict, PyObject *const *args, Py_ssize_t count, PyObject *keywords)
{
    PyObject *buffer = dict && !count && !keywords ? ga_peek(self, dict, ga_str.ac_in_buffer) : NULL;
    if (!buffer || !(PyBytes_CheckExact(buffer) || (PyObject *)Py_TYPE(buffer) == ga_tools.backlog) ||
        !ga_is_ours(self, dict, ga_str.recv, M_RECV))
        return ga_fall_back(M_HANDLE_READ, self, args, count, keywords);
    PyObject *size = PyObject_GetAttr(self, ga_str.ac_in_buffer_size);
    PyObject *data = size ? ga_recv(self, &size, 1, NULL) : NULL;
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
    buffer = PyObject_GetAttr(self, ga_str.ac_in_buffer);
    int status = -1;
    if (buffer && PyBytes_CheckExact(buffer) && PyBytes_GET_SIZE(buffer) == 0 && PyBytes_CheckExact(data))
        status = PyBytes_GET_SIZE(data) ? PyObject_SetAttr(self, ga_str.ac_in_buffer, data) : 0;
    else if (buffer) {
        PyObject *both = (PyObject *)Py_TYPE(buffer) == ga_tools.backlog ? PyNumber_InPlaceAdd(buffer, data) : PyNumber_Add(buffer, data);
        status = both ? PyObject_SetAttr(self, ga_str.ac_in_buffer, both) : -1;
        Py_XDECREF(both);
    }
    Py_XDECREF(buffer);
    Py_DECREF(data);
    if (status < 0 || collect_all(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static GA_IN_DICT(m_handle_read);

static PyMethodDef chat_methods[] = {
    {"_collect_incoming_data", GA_FUNCTION(m_collect), GA_WAY, "_collect_incoming_data(self, data)\n--\n\n"},
    {"_get_data", GA_FUNCTION(m_get_data), GA_WAY, "_get_data(self)\n--\n\n"},
    {"push", GA_FUNCTION(m_push), GA_WAY, "push(self, data)\n--\n\nAs asynchat.async_chat.push, natively."},
    {"handle_read", GA_FUNCTION(m_handle_read), GA_WAY, "handle_read(self)\n--\n\nAs asynchat.async_chat.handle_read, natively."},
    {"initiate_send", GA_FUNCTION(m_initiate_send), GA_WAY, "initiate_send(self)\n--\n\nAs asynchat.async_chat.initiate_send, natively."},
    {0},
};

void ga_chats_end(void)
{
    Py_CLEAR(collect_rest);
    Py_CLEAR(get_terminator);
}

int ga_chat_methods(intptr_t tools)
{
    ga_take_gil();
    PyObject *chat, *own;
    int status = -1;
    if (!ga_socket_send)
        status = 0; /* no way round a socket: the Python ga_methods stay */
    else if (PyArg_ParseTuple((PyObject *)tools, "O!O!OOO", &PyType_Type, &chat, &PyTuple_Type, &own, &collect_rest, &get_terminator,
                              &io_failed)) {
        Py_INCREF(collect_rest);
        Py_INCREF(get_terminator);
        Py_INCREF(io_failed);
        status = ga_install((PyTypeObject *)chat, chat_methods, M_COLLECT, own);
    }
    PyEval_SaveThread();
    return status;
}
