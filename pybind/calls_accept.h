/* Native call of dispatcher.accept. */
#pragma once

#include "calls.h"

/* Finds out whether sockets of that class can be accepted without calling socket.accept(). */
int ga_accept_setup(PyTypeObject *socket_class);

ga_native ga_accept;
