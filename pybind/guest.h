/* Keeps Go's runtime from disturbing the process. */
#pragma once

#include <stdint.h>

extern int32_t ga_threads; /* how many of Python's threads have called Go and still exist; atomic */

void ga_guest_setup(void);
void ga_guest_forked(void); /* in the child of any fork */
