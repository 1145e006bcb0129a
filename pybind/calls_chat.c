/* Native calls of async_chat, except handle_read. */
#include "calls_chat.h"
#include "calls_chat_input.h"
#include "calls_dispatcher.h"

#include <errno.h>

#define IN_PLACE (1 << 12) /* bytes, from which on a rest is not copied */

static void (*report)(void); /* that a queue was filled */

/* async_chat._collect_incoming_data */
static PyObject *m_collect(PyObject *self, PyObject *dict, PyObject *data)
{
    PyObject *incoming = ga_peek(self, dict, NAME(incoming));
    if (!incoming || !PyList_CheckExact(incoming))
        return GA_PYTHON;
    if (PyList_Append(incoming, data) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* async_chat._get_data */
static PyObject *m_get_data(PyObject *self, PyObject *dict, PyObject *Py_UNUSED(none))
{
    PyObject *incoming = ga_peek(self, dict, NAME(incoming));
    if (!incoming || !PyList_CheckExact(incoming))
        return GA_PYTHON;
    Py_INCREF(incoming);
    PyObject *data;
    if (PyList_GET_SIZE(incoming) == 1 && PyBytes_CheckExact(PyList_GET_ITEM(incoming, 0)))
        data = Py_NewRef(PyList_GET_ITEM(incoming, 0));
    else
        data = PyObject_CallMethodOneArg(ga_empty, NAME(join), incoming);
    if (data && PyList_SetSlice(incoming, 0, PyList_GET_SIZE(incoming), NULL) < 0)
        Py_CLEAR(data);
    Py_DECREF(incoming);
    return data;
}

/* async_chat.push, if it amounts to one send(2) */
static PyObject *m_push(PyObject *self, PyObject *dict, PyObject *data)
{
    if (!PyBytes_CheckExact(data) || !PyBytes_GET_SIZE(data))
        return GA_PYTHON;
    PyObject *size = ga_peek(self, dict, NAME(ac_out_buffer_size));
    if (!size || !PyLong_CheckExact(size) || PyLong_AsSsize_t(size) < PyBytes_GET_SIZE(data) ||
        ga_peek(self, dict, NAME(connected)) != Py_True || !ga_is_ours(self, dict, NAME(send), M_SEND) ||
        !ga_is_ours(self, dict, NAME(initiate_send), M_INITIATE_SEND))
        return GA_PYTHON;
    int fd = ga_plain_socket(ga_peek(self, dict, NAME(socket)), NAME(send), ga_socket_send);
    PyObject *fifo = fd == -2 ? NULL : ga_peek(self, dict, NAME(producer_fifo));
    if (!fifo || Py_TYPE(fifo) != ga_tools.deque || Py_SIZE(fifo))
        return GA_PYTHON;
    Py_INCREF(fifo);
    PyObject *rest;
    int error = ga_send_at_once(fd, data, &rest);
    PyObject *exc = error < 0 ? PyErr_GetRaisedException() : NULL;
    PyObject *added = rest ? PyObject_CallMethod(fifo, "append", "O", rest) : NULL;
    int lost = rest && !added;
    Py_DECREF(fifo);
    Py_XDECREF(rest);
    if (added)
        report();
    Py_XDECREF(added);
    if (exc)
        PyErr_SetRaisedException(exc);
    if (lost || error < 0)
        return NULL;
    if (error == 0 || ga_send_refused(self, error) == 0)
        Py_RETURN_NONE;
    return PyErr_ExceptionMatches(PyExc_OSError) ? ga_chat_refuse(self, M_INITIATE_SEND) : NULL;
}

/* What follows the first `sent` bytes, owned; a long rest as a view, which copies nothing. */
static PyObject *rest_of(PyObject *first, Py_ssize_t sent, Py_ssize_t size)
{
    if (PyBytes_CheckExact(first) && size - sent < IN_PLACE)
        return PyBytes_FromStringAndSize(PyBytes_AS_STRING(first) + sent, size - sent);
    PyObject *view = PyMemoryView_Check(first) ? Py_NewRef(first) : PyMemoryView_FromObject(first);
    PyObject *rest = view ? PySequence_GetSlice(view, sent, size) : NULL;
    Py_XDECREF(view);
    return rest;
}

/* Whether it is certainly a producer: slicing it raises TypeError, and it is true. */
static int is_producer(PyObject *first)
{
    PyTypeObject *type = Py_TYPE(first);
    return first != Py_None && !PyType_Check(first) &&
           !(type->tp_as_mapping && (type->tp_as_mapping->mp_subscript || type->tp_as_mapping->mp_length)) &&
           !(type->tp_as_sequence && (type->tp_as_sequence->sq_item || type->tp_as_sequence->sq_length)) &&
           !(type->tp_as_number && type->tp_as_number->nb_bool);
}

/* Puts what a producer returns before it in the queue, or removes it. */
static int ask_producer(PyObject *self, PyObject *producer)
{
    PyObject *data = PyObject_CallMethodNoArgs(producer, NAME(more)), *done = NULL;
    int any = data ? PyObject_IsTrue(data) : -1;
    PyObject *fifo = any < 0 ? NULL : PyObject_GetAttr(self, NAME(producer_fifo)); /* it may be another one now */
    int status = -1;
    if (fifo && any) {
        done = PyObject_CallMethodOneArg(fifo, NAME(appendleft), data);
        status = done ? 0 : -1;
    } else if (fifo)
        status = PySequence_DelItem(fifo, 0);
    Py_XDECREF(fifo);
    Py_XDECREF(data);
    Py_XDECREF(done);
    return status;
}

/* async_chat.initiate_send, of bytes and producers through a plain socket */
static PyObject *m_initiate_send(PyObject *self, PyObject *dict, PyObject *Py_UNUSED(none))
{
    while (dict == ga_plain_dict(self)) { /* a producer may have given it another one */
        PyObject *limit = ga_peek(self, dict, NAME(ac_out_buffer_size));
        Py_ssize_t most = limit && PyLong_CheckExact(limit) ? PyLong_AsSsize_t(limit) : -1;
        if (most <= 0 || ga_peek(self, dict, NAME(connected)) != Py_True || !ga_is_ours(self, dict, NAME(send), M_SEND))
            break;
        int fd = ga_plain_socket(ga_peek(self, dict, NAME(socket)), NAME(send), ga_socket_send);
        PyObject *fifo = ga_peek(self, dict, NAME(producer_fifo));
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
            Py_ssize_t size = view.len, sent = ga_transmit(fd, view.buf, size < most ? size : most, 1);
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
            PyErr_Clear(); /* it is not a buffer of bytes after all */
        Py_XDECREF(first);
        Py_DECREF(fifo);
        if (!mine)
            break;
        if (status < 0)
            return more || !PyErr_ExceptionMatches(PyExc_OSError) ? NULL : ga_chat_refuse(self, M_INITIATE_SEND);
        if (!more)
            Py_RETURN_NONE;
    }
    return GA_PYTHON;
}

GA_CALL(m_collect, M_COLLECT, "data");
GA_CALL(m_get_data, M_GET_DATA, NULL);
GA_CALL(m_push, M_PUSH, "data");
GA_CALL(ga_handle_read, M_HANDLE_READ, NULL);
GA_CALL(m_initiate_send, M_INITIATE_SEND, NULL);

int ga_chat_calls_setup(PyObject *tools, void (*filled)(void))
{
    static const vectorcallfunc calls[] = {m_collect_called,      m_get_data_called,      m_push_called,
                                           ga_handle_read_called, m_initiate_send_called, NULL};
    PyObject *functions, *input;
    report = filled;
    if (!ga_socket_send)
        return 0; /* sockets cannot be used directly, so the Python methods stay */
    if (!PyArg_ParseTuple(tools, "O!O", &PyTuple_Type, &functions, &input) || ga_chat_input_setup(input) < 0)
        return -1;
    ga_calls_install(calls, M_COLLECT, functions);
    return 0;
}
