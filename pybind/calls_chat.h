/* Native calls of async_chat, except handle_read. */
#pragma once

#include "calls.h"

/* `filled` is called when something was put into a queue, which no watcher reports. */
int ga_chat_calls_setup(PyObject *tools, void (*filled)(void));
