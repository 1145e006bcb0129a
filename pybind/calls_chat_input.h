/* Native async_chat.handle_read: receives, and delivers up to each terminator. */
#pragma once

#include "calls.h"

int ga_chat_input_setup(PyObject *tools);
void ga_chat_input_end(void);

ga_native ga_handle_read;

/* An OSError is set, which async_chat's `method` passes to its own handle_error(). */
PyObject *ga_chat_refuse(PyObject *self, int method);
