/* Input of an async_chat of which the front has been handed on.
 *
 * In each callback the attribute ac_in_buffer is all that has not been handed on, as bytes. To copy a long rest for each
 * line would take time by the square of what is read at once. So while much follows, the attribute is missing, and
 * asynchat's descriptor has it made when somebody asks for it. Requires the GIL. */
#ifndef GOASYNCORE_UNREAD_H
#define GOASYNCORE_UNREAD_H

#include "methods.h"

#define GA_LONG_INPUT (1 << 12) /* bytes; asynchat itself has a larger one, because its way costs more */

/* Not on the stack, which is not always there with greenlets. */
typedef struct ga_unread {
    struct ga_unread *next;
    PyObject *self; /* borrowed: its method is under way */
    PyObject *data; /* bytes; owned */
    Py_ssize_t at;
    int gone; /* it has been put back */
} ga_unread;

/* Takes the attribute away if it holds much, and its absence shows nowhere; else NULL without an exception. */
ga_unread *ga_unread_begin(PyObject *self, PyObject *data);

/* Whether the attribute is still missing: nobody has read or set it. No exception is set then. */
int ga_unread_is_missing(ga_unread *u);

/* Puts the rest back, whether or not an exception is set, and frees it. 0, or -1 with an exception set. */
int ga_unread_end(ga_unread *u);

int ga_unread_setup(PyObject *of); /* the descriptor; 0, or -1 with an exception set */
void ga_unread_end_all(void);

#endif
