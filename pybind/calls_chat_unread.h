/* Input of an async_chat that is not delivered yet.
 *
 * In each callback the attribute ac_in_buffer is all that is not delivered, as bytes. To copy a long rest for each line would take
 * time that grows with the square of what is read at once. So while much follows, the attribute is missing, and asynchat's
 * descriptor has it made when it is read. */
#pragma once

#include "calls.h"

#define GA_LONG_INPUT (1 << 12) /* bytes; asynchat's own limit is higher, because its way costs more */

/* Not on the stack, which greenlets move. */
typedef struct ga_unread {
    struct ga_unread *next;
    PyObject *self; /* borrowed: its method is being called */
    PyObject *data; /* bytes; owned */
    Py_ssize_t at;
    int gone; /* it has been put back */
} ga_unread;

/* Removes the attribute if it is long and its absence can be hidden; else NULL without an exception. */
ga_unread *ga_unread_begin(PyObject *self, PyObject *data);

/* Whether the attribute is still missing: nothing has read or set it. No exception is set then. */
int ga_unread_is_missing(ga_unread *u);

/* Puts the rest back, whether or not an exception is set, and frees it. */
int ga_unread_end(ga_unread *u);

int ga_unread_setup(PyObject *chat_class, PyObject *of); /* the descriptor */
void ga_unread_end_all(void);
