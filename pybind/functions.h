/* The extension's functions that do not go through gopy: run(), and what asks the mirror or reports to it. */
#pragma once

#include "cpython.h"

int ga_functions_setup(PyObject *module); /* adds them */
