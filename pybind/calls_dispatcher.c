/* Native calls of dispatcher and dispatcher_with_send. */
#include "calls_dispatcher.h"
#include "calls_accept.h"
#include "calls_other_sockets.h"
#include "calls_turns.h"

#include <errno.h>
#include <sys/socket.h>

static PyTypeObject *dispatcher; /* borrowed; NULL when the interpreter ends */

/* recv(2) on a non-blocking socket. The data as bytes, empty at the end; NULL with errno set, or with errno 0 and an exception
 * set. Little data is copied from a buffer that is kept, so that none is lost for lack of memory. */
static PyObject *receive(int fd, Py_ssize_t size)
{
    enum { ROOM = 1 << 16 };
    static PyObject *spare; /* received into; returned itself if there is no memory for a copy */
    static int large;       /* what came last was: then the next is received in place */
    int in_place = large || size > ROOM;
    PyObject *room = in_place || !spare ? PyBytes_FromStringAndSize(NULL, in_place ? size : ROOM) : spare;
    if (!room) {
        errno = 0;
        return NULL;
    }
    if (room == spare)
        spare = NULL; /* another thread may receive meanwhile */
    PyThreadState *thread = ga_release_gil();
    ssize_t got = recv(fd, PyBytes_AS_STRING(room), (size_t)size, MSG_DONTWAIT);
    ga_regain_gil(thread);
    if (got >= 0)
        large = got > 1 << 14;
    PyObject *bytes = NULL;
    if (in_place && got >= 0) {
        bytes = room;
        if (got < size && _PyBytes_Resize(&bytes, got) < 0)
            errno = 0;
        return bytes;
    }
    if (got >= 0 && !(bytes = PyBytes_FromStringAndSize(PyBytes_AS_STRING(room), got))) {
        PyErr_Clear();
        PyBytes_AS_STRING(room)[got] = 0;
        Py_SET_SIZE(room, got); /* without freeing the rest, which may fail */
        return room;
    }
    if (in_place || spare) {
        int error = errno;
        Py_DECREF(room);
        errno = error;
    } else
        spare = room;
    return bytes;
}

/* dispatcher.recv */
static PyObject *m_recv(PyObject *self, PyObject *dict, PyObject *argument)
{
    Py_ssize_t size = PyLong_CheckExact(argument) ? PyLong_AsSsize_t(argument) : -1;
    if (size < 0)
        PyErr_Clear();
    /* If it is 0, CPython does not call recv(2). */
    PyObject *sock = ga_peek(self, dict, NAME(socket));
    int fd = sock && size > 0 ? ga_plain_socket(sock, NAME(recv), ga_socket_recv) : -2;
    if (fd == -2)
        return sock ? ga_receive_from(self, sock, argument) : GA_PYTHON;
    PyObject *data;
    while (!(data = receive(fd, size)) && errno == EINTR)
        if (PyErr_CheckSignals() < 0)
            return NULL;
    if (data && PyBytes_GET_SIZE(data))
        return data;
    int error = errno;
    if (!data && (PyErr_Occurred() || !ga_is_disconnected(error))) {
        errno = error;
        return PyErr_Occurred() ? NULL : PyErr_SetFromErrno(PyExc_OSError);
    }
    int at_end = data != NULL;
    Py_XDECREF(data);
    return ga_received_nothing(self, at_end);
}

Py_ssize_t ga_transmit(int fd, const void *start, Py_ssize_t size, int alone)
{
    ssize_t sent;
    do {
        PyThreadState *thread = alone ? NULL : ga_release_gil();
        sent = send(fd, start, (size_t)size, MSG_DONTWAIT);
        ga_regain_gil(thread);
    } while (sent < 0 && errno == EINTR && PyErr_CheckSignals() == 0);
    return sent < 0 && errno == EINTR ? -2 : sent;
}

/* Whether getting its buffer runs no Python code, which could close the socket, and open another file under its number. */
static int is_buffer(PyObject *data)
{
    return PyBytes_CheckExact(data) || PyByteArray_CheckExact(data) || PyMemoryView_Check(data);
}

/* ga_transmit of such an object's buffer. */
static Py_ssize_t transmit(int fd, PyObject *data, int alone)
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
    Py_ssize_t sent = ga_transmit(fd, start, size, alone);
    if (view.obj) {
        int error = errno;
        PyBuffer_Release(&view);
        errno = error;
    }
    return sent;
}

int ga_send_refused(PyObject *self, int error)
{
    if (error == EWOULDBLOCK)
        return 0;
    if (ga_is_disconnected(error))
        return ga_call_handle_close(self);
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

/* dispatcher.send */
static PyObject *m_send(PyObject *self, PyObject *dict, PyObject *data)
{
    PyObject *sock = ga_peek(self, dict, NAME(socket));
    int fd = sock && is_buffer(data) ? ga_plain_socket(sock, NAME(send), ga_socket_send) : -2;
    if (fd == -2)
        return sock ? ga_send_to(self, sock, data) : GA_PYTHON;
    Py_ssize_t sent = transmit(fd, data, 0);
    if (sent == -2)
        return NULL;
    if (sent < 0) {
        if (ga_send_refused(self, errno) < 0)
            return NULL;
        sent = 0;
    }
    return PyLong_FromSsize_t(sent);
}

int ga_send_at_once(int fd, PyObject *data, PyObject **rest)
{
    *rest = NULL;
    Py_ssize_t sent = transmit(fd, data, 1), size = PyBytes_GET_SIZE(data);
    int error = sent == -1 ? errno : 0;
    if (sent == size)
        return 0;
    *rest = sent <= 0 ? Py_NewRef(data) : PyBytes_FromStringAndSize(PyBytes_AS_STRING(data) + sent, size - sent);
    return sent == -2 || !*rest ? -1 : error;
}

/* Stores what is left of the data after that many bytes, before what other threads have stored meanwhile. An exception that is set
 * stays set. */
static int store_rest(PyObject *self, PyObject *data, Py_ssize_t sent)
{
    PyObject *exc = PyErr_GetRaisedException(), *stored = PyObject_GetAttr(self, NAME(out_buffer));
    PyObject *rest = stored ? PySequence_GetSlice(data, sent, PY_SSIZE_T_MAX) : NULL;
    int more = rest ? PyObject_IsTrue(stored) : -1;
    if (more > 0)
        Py_SETREF(rest, PySequence_Concat(rest, stored));
    int status = more < 0 || !rest ? -1 : PyObject_SetAttr(self, NAME(out_buffer), rest);
    Py_XDECREF(stored);
    Py_XDECREF(rest);
    if (exc)
        PyErr_SetRaisedException(exc);
    return status;
}

/* Sends while other threads run, which may send through the channel as well. If a thread has the turn, others only store. */
static PyObject *send_in_turn(PyObject *self, PyObject *data, int fd)
{
    int turn = ga_turn_take(self);
    if (turn == GA_ANOTHERS_TURN)
        return PyObject_SetAttr(self, NAME(out_buffer), data) < 0 ? NULL : Py_NewRef(Py_None); /* it was empty */
    Py_ssize_t sent = transmit(fd, data, 0);
    int error = errno, status = sent == -2 ? -1 : 0;
    if (sent < PyBytes_GET_SIZE(data) && store_rest(self, data, sent > 0 ? sent : 0) < 0)
        status = -1;
    if (status == 0 && sent == -1)
        status = ga_send_refused(self, error);
    if (ga_turn_end(turn, status < 0 ? NULL : self))
        return PyObject_CallMethodNoArgs(self, NAME(initiate_send));
    return status < 0 ? NULL : Py_NewRef(Py_None);
}

/* dispatcher_with_send.send */
static PyObject *m_sender_send(PyObject *self, PyObject *dict, PyObject *data)
{
    if (!PyBytes_CheckExact(data) || PyBytes_GET_SIZE(data) > 1 << 16)
        return GA_PYTHON;
    PyObject *waiting = ga_peek(self, dict, NAME(out_buffer));
    if (!waiting || !PyBytes_CheckExact(waiting) || PyBytes_GET_SIZE(waiting) || ga_peek(self, dict, NAME(debug)) != Py_False)
        return GA_PYTHON;
    if (!dispatcher)
        return GA_PYTHON;
    if (!ga_is_ours(self, dict, NAME(initiate_send), M_SENDER_INITIATE) || !ga_untouched(_PyType_Lookup(dispatcher, NAME(send)), M_SEND))
        return GA_PYTHON;
    PyObject *sock = ga_peek(self, dict, NAME(socket));
    if (!sock)
        return GA_PYTHON;
    int fd = ga_plain_socket(sock, NAME(send), ga_socket_send);
    if (fd == -2) {
        PyObject *function = ga_methods[M_SENDER_SEND].function;
        PyObject *attended = function ? PyDict_GetItemWithError(PyFunction_GET_GLOBALS(function), NAME(_attended)) : NULL;
        if (!attended || !PyDict_CheckExact(attended) || PyDict_GET_SIZE(attended))
            return GA_PYTHON; /* an asyncio loop must be told that data waits */
        return ga_sender_send_to(self, sock, data);
    }
    if (ga_loops > 1)
        return send_in_turn(self, data, fd);
    PyObject *rest;
    int error = ga_send_at_once(fd, data, &rest);
    if (!rest && error == 0)
        Py_RETURN_NONE;
    PyObject *exc = PyErr_GetRaisedException();
    int status = rest ? PyObject_SetAttr(self, NAME(out_buffer), rest) : -1;
    if (exc)
        PyErr_SetRaisedException(exc);
    Py_XDECREF(rest);
    if (status < 0 || error < 0 || (error && ga_send_refused(self, error) < 0))
        return NULL;
    Py_RETURN_NONE;
}

/* dispatcher_with_send.initiate_send: only one thread at a time calls the Python function */
static PyObject *sender_initiate_called(PyObject *function, PyObject *const *args, size_t flags, PyObject *keywords)
{
    enum { MOST = 8 }; /* sends, if other threads ask for more each time */
    int turn = GA_NO_TURN, sends = 0;
    PyObject *self = PyVectorcall_NARGS(flags) == 1 ? args[0] : NULL, *result = NULL;
    do {
        if (self && (turn = ga_turn_take(self)) == GA_ANOTHERS_TURN)
            return result ? result : Py_NewRef(Py_None);
        Py_XSETREF(result, ga_methods[M_SENDER_INITIATE].python(function, args, flags, keywords));
    } while (ga_turn_end(turn, result ? self : NULL) && ++sends < MOST);
    return result;
}

GA_CALL(m_recv, M_RECV, "buffer_size");
GA_CALL(m_send, M_SEND, "data");
GA_CALL(m_sender_send, M_SENDER_SEND, "data");
GA_CALL(ga_accept, M_ACCEPT, NULL);

void ga_dispatcher_calls_setup(PyTypeObject *class, PyObject *functions)
{
    static const vectorcallfunc calls[] = {m_recv_called, m_send_called, m_sender_send_called, sender_initiate_called, ga_accept_called,
                                           NULL,          NULL};
    dispatcher = class;
    ga_calls_install(ga_socket_send ? calls : NULL, M_RECV, functions);
}

void ga_dispatcher_calls_end(void)
{
    dispatcher = NULL;
}
