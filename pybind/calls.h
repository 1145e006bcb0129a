/* Native calls of asyncore's and asynchat's functions: what they share.
 *
 * Each does in one step what the Python method does if no code of the program is involved: the socket is exactly a
 * socket.socket, non-blocking, its methods and the methods that would be called are ours, the buffers are plain. Otherwise the
 * Python function is called; it defines what is right. */
#pragma once

#include "cpython.h"

enum { M_RECV, M_SEND, M_SENDER_SEND, M_COLLECT, M_GET_DATA, M_PUSH, M_HANDLE_READ, M_INITIATE_SEND, M_COUNT };

extern struct ga_method {
    PyObject *function;    /* asyncore's or asynchat's, which has a native call now; owned, NULL before and when the interpreter ends */
    PyObject *code;        /* what it had then; owned, as `function` */
    vectorcallfunc python; /* its call before */
} ga_methods[M_COUNT];

/* Interned names, and the empty bytes; clang-format would format the list anew each time. */
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

extern PyObject *ga_socket_recv, *ga_socket_send; /* socket.socket's; NULL if sockets cannot be used directly */

/* Defines `name`, a method, around `name`_in, which gets the instance's dict as well, held, or NULL if attributes must be looked
 * up by Python. The declaration at the end makes the semicolon belong to something. */
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

/* Interns the names, and finds out whether sockets of that class can be used directly. */
int ga_calls_setup(PyTypeObject *socket_class);

/* Gives the functions of the tuple native calls, numbered from `first` on; ga_calls_end takes all of them away. */
void ga_calls_install(const vectorcallfunc *calls, int first, PyObject *functions);
void ga_calls_end(void);

/* Whether the native call may be made: the function has its code still, and no tool sees calls. */
int ga_may(int method);

/* Whether the function that was found is ours, with the code that it had. */
int ga_untouched(PyObject *found, int method);

/* Whether self.name() is our method; 0 with an exception if a key of the dict raised. */
int ga_is_ours(PyObject *self, PyObject *dict, PyObject *name, int method);

/* The instance's dict, borrowed, if its attributes are stored and found in the ordinary way; else NULL. */
PyObject *ga_plain_dict(PyObject *self);

/* The value of an attribute, the instance's or the class's, borrowed; `dict` is the instance's, and the caller holds it. NULL if
 * there is none or it is computed, or with an exception that a key of the dict raised. ga_attribute returns it owned. */
PyObject *ga_peek(PyObject *self, PyObject *dict, PyObject *name);
PyObject *ga_attribute(PyObject *self, PyObject *name);

/* The descriptor of a socket whose `method` can be skipped, or -2 (-1 is that of a closed one). */
int ga_plain_socket(PyObject *sock, PyObject *name, PyObject *method);

/* The single argument, called `name`, borrowed; NULL if the call does not have just that. */
PyObject *ga_only_argument(const char *name, PyObject *const *args, Py_ssize_t count, PyObject *keywords);

/* Calls the Python function with the arguments as they came: `self` is before them. What the attempt raised is dropped, because
 * the function raises it again. */
PyObject *ga_fall_back(int method, PyObject *const *args, Py_ssize_t count, PyObject *keywords);

int ga_is_disconnected(long error); /* as asyncore._DISCONNECTED */
int ga_call_handle_close(PyObject *self);

/* What dispatcher.recv does at the end of the stream, or else when the connection is lost. */
PyObject *ga_received_nothing(PyObject *self, int at_end);
