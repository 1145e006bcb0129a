/* Native calls of dispatcher and dispatcher_with_send. */
#pragma once

#include "calls.h"

void ga_dispatcher_calls_setup(PyTypeObject *dispatcher, PyObject *functions);
void ga_dispatcher_calls_end(void);

/* send(2) on a non-blocking socket: how much was sent, or -1 with errno set, or -2 with an exception set. Other threads may run
 * meanwhile, except if `alone`. */
Py_ssize_t ga_transmit(int fd, const void *start, Py_ssize_t size, int alone);

/* What dispatcher.send does after a send(2) that failed with `error`. */
int ga_send_refused(PyObject *self, int error);

/* Sends data through a plain socket while nothing waits before it, and no other thread runs; the rest goes to *rest, owned, or NULL
 * if there is none. 0, or an errno, or -1 with an exception set, which must be saved while *rest is stored. */
int ga_send_at_once(int fd, PyObject *data, PyObject **rest);
