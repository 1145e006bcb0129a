/* Native calls of asyncore's and asynchat's functions: what they share.
 *
 * Each does in one step what the Python method does if no code of the program is involved: the socket is exactly a
 * socket.socket, non-blocking, its methods and the methods that would be called are ours, the buffers are plain. Otherwise the
 * Python function is called; it defines what is right. */
#pragma once

#include "cpython.h"

/* clang-format off */
enum {
    M_RECV, M_SEND, M_SENDER_SEND, M_SENDER_INITIATE, M_ACCEPT, M_READ_EVENT, M_WRITE_EVENT,
    M_COLLECT, M_GET_DATA, M_PUSH, M_HANDLE_READ, M_INITIATE_SEND, M_GET_TERMINATOR, M_COUNT
};
/* clang-format on */

extern struct ga_method {
    PyObject *function;    /* asyncore's or asynchat's; owned, NULL before and when the interpreter ends */
    PyObject *code;        /* what it had then; owned, as `function` */
    vectorcallfunc python; /* its call before */
} ga_methods[M_COUNT];

extern PyObject *ga_empty;                        /* bytes */
extern PyObject *ga_socket_recv, *ga_socket_send; /* socket.socket's; NULL if sockets cannot be used directly */

/* What a method does natively, with its only argument or NULL; `dict` is the instance's, and held. GA_PYTHON if the Python
 * function must do it: that raises again what is raised by then. */
typedef PyObject *ga_native(PyObject *self, PyObject *dict, PyObject *argument);
#define GA_PYTHON ((PyObject *)&ga_methods)

/* Defines `native`_called, the call of a function whose only argument has that name, NULL if it has none. The declaration at the
 * end is there for the semicolon. */
#define GA_CALL(native, method, name)                                                                                                      \
    static PyObject *native##_called(PyObject *function, PyObject *const *args, size_t flags, PyObject *keywords)                          \
    {                                                                                                                                      \
        return ga_call(native, method, name, function, args, flags, keywords);                                                             \
    }                                                                                                                                      \
    struct native##_called_
PyObject *ga_call(ga_native *native, int method, const char *name, PyObject *function, PyObject *const *args, size_t flags,
                  PyObject *keywords);

/* Finds out whether sockets of that class can be used directly. */
int ga_calls_setup(PyTypeObject *socket_class);

/* Notes the functions of the tuple, numbered from `first` on, and gives them the native calls that are not NULL; ga_calls_end
 * takes all of them away. */
void ga_calls_install(const vectorcallfunc *calls, int first, PyObject *functions);
void ga_calls_end(void);

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

/* The head of CPython's socket object. */
typedef struct {
    PyObject_HEAD int fd, family, type, protocol;
    void *errorhandler;
    int64_t timeout;
} ga_socket;

/* The descriptor of a socket whose `method` can be skipped, or -2 (-1 is that of a closed one). */
int ga_plain_socket(PyObject *sock, PyObject *name, PyObject *method);

int ga_is_disconnected(long error); /* as asyncore._DISCONNECTED */
int ga_call_handle_close(PyObject *self);

/* What dispatcher.recv does at the end of the stream, or else when the connection is lost. */
PyObject *ga_received_nothing(PyObject *self, int at_end);
