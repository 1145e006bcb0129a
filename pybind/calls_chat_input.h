/* Native async_chat.handle_read: receives, and delivers up to each terminator. */
#pragma once

#include "calls.h"

int ga_chat_input_setup(PyObject *tools);
void ga_chat_input_end(void);

PyObject *ga_handle_read(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *keywords);

/* An OSError is set, which async_chat's `method` passes to its own handle_error(). */
PyObject *ga_chat_refuse(PyObject *self, int method);
