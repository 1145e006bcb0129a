/* What the native methods share: methods.c sets them up, dispatchers.c and chats.c hold them. Requires the GIL. */
#ifndef GOASYNCORE_METHODS_H
#define GOASYNCORE_METHODS_H

#include "internal.h"

enum { M_RECV, M_SEND, M_SENDER_SEND, M_COLLECT, M_GET_DATA, M_PUSH, M_HANDLE_READ, M_INITIATE_SEND, M_COUNT };

extern struct ga_method {
    PyObject *function;    /* asyncore's or asynchat's, with a native call from then on; owned, NULL before and at the interpreter's end */
    PyObject *code;        /* what it had then; owned, as `function` */
    vectorcallfunc python; /* its call before */
} ga_methods[M_COUNT];

/* Interned names, and the empty bytes; what clang-format makes of the list depends on what it was before. */
/* clang-format off */
#define GA_STRINGS(X) \
    X(socket) X(recv) X(send) X(debug) X(initiate_send) X(out_buffer) X(incoming) X(producer_fifo) \
    X(connected) X(handle_close) X(handle_error) X(ac_out_buffer_size) X(join) X(ac_in_buffer_size) X(ac_in_buffer) \
    X(terminator) X(get_terminator) X(collect_incoming_data) X(found_terminator) X(more) X(appendleft) X(_attended)
/* clang-format on */
#define GA_STRING(name) *name,
extern struct ga_str {
    PyObject GA_STRINGS(GA_STRING) * empty;
} ga_str;

extern PyTypeObject *ga_dispatcher;
extern PyObject *ga_socket_recv, *ga_socket_send; /* socket.socket's; NULL if sockets cannot be gone round */

#define GA_IN_PLACE (1 << 12) /* bytes */

/* Defines `name`, a method, around `name`_in, which takes the instance's dict besides, or NULL where that is not to be
 * gone round: looking into it may run code that gives the instance another one. The declaration at its end takes the
 * semicolon. */
#define GA_IN_DICT(name)                                                                                                                   \
    PyObject *name(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords)                                            \
    {                                                                                                                                      \
        PyObject *dict = Py_XNewRef(ga_plain_dict(self));                                                                                  \
        PyObject *result = name##_in(self, dict, args, count, keywords);                                                                   \
        Py_XDECREF(dict);                                                                                                                  \
        return result;                                                                                                                     \
    }                                                                                                                                      \
    struct name##_

/* Defines `name`_called, the native call of a function whose method is `name`. */
#define GA_CALL(name, method)                                                                                                              \
    static PyObject *name##_called(PyObject *function, PyObject *const *args, size_t flags, PyObject *keywords)                            \
    {                                                                                                                                      \
        Py_ssize_t count = PyVectorcall_NARGS(flags);                                                                                      \
        if (count == 0 || !ga_may(method))                                                                                                 \
            return ga_methods[method].python(function, args, flags, keywords);                                                             \
        PyObject *result = name(args[0], args + 1, count - 1, keywords);                                                                   \
        if (!result)                                                                                                                       \
            ga_pass_through(ga_methods[method].function);                                                                                  \
        return result;                                                                                                                     \
    }                                                                                                                                      \
    struct name##_called_

/* methods.c */
int ga_may(int method);
int ga_untouched(PyObject *found, int method);
int ga_plain_socket(PyObject *sock, PyObject *name, PyObject *method);
PyObject *ga_peek(PyObject *self, PyObject *dict, PyObject *name);
PyObject *ga_plain_dict(PyObject *self);
PyObject *ga_attribute(PyObject *self, PyObject *name);
int ga_is_ours(PyObject *self, PyObject *dict, PyObject *name, int method);
PyObject *ga_only_argument(const char *name, PyObject *const *args, Py_ssize_t count, PyObject *keywords);
PyObject *ga_fall_back(int method, PyObject *const *args, Py_ssize_t count, PyObject *keywords);
PyObject *ga_asynchat(const char *name);
int ga_install(const vectorcallfunc *calls, int first, PyObject *own);

/* chats.c: an OSError is set, async_chat's own handle_error() gets it. */
PyObject *ga_chat_refuse(PyObject *self, int method);

/* chat_input.c */
PyObject *ga_handle_read(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords);
int ga_chat_input_setup(PyObject *tools); /* 0, or -1 with an exception set */
void ga_chat_input_end(void);

/* dispatchers.c */
extern const vectorcallfunc ga_dispatcher_calls[];
PyObject *ga_recv(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords);
Py_ssize_t ga_transmit(int fd, const void *start, Py_ssize_t size);
int ga_send_refused(PyObject *self, int error);
int ga_is_disconnected(long error);
int ga_call_handle_close(PyObject *self);
PyObject *ga_received_nothing(PyObject *self, int at_end);
int ga_send_at_once(int fd, PyObject *data, PyObject **rest);

/* other_sockets.c */
PyObject *ga_receive_from(PyObject *self, PyObject *sock, PyObject *size);
PyObject *ga_send_to(PyObject *self, PyObject *sock, PyObject *data);
PyObject *ga_sender_send_to(PyObject *self, PyObject *sock, PyObject *data);

#endif
