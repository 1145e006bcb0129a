/* recv and send of channels with any object that is not exactly a socket.socket, such as a TLS socket. */
#pragma once

#include "calls.h"

PyObject *ga_receive_from(PyObject *self, PyObject *sock, PyObject *size);
PyObject *ga_send_to(PyObject *self, PyObject *sock, PyObject *data);
PyObject *ga_sender_send_to(PyObject *self, PyObject *sock, PyObject *data); /* if nothing waits to be sent */
