/* Whether a debugger, a profiler or a coverage tool sees the calls that are made. */
#pragma once

#include "cpython.h"

void ga_tracing_setup(void);

/* A tool has registered with sys.monitoring, or may have. Runs no Python code. */
void ga_tracing_may_begin(void);

/* Whether a tool of this thread, or any of sys.monitoring, counts calls. Then settled predicates are called in each pass all
 * the same. May run Python code. */
int ga_is_traced(void);

/* Whether a tool sees the calls of the Python code that runs. Runs no Python code. */
int ga_caller_is_traced(void);
