/* Sets the other files up and connects them; the only one that knows all. */
#pragma once

#include <stdint.h>

/* Takes the GIL. `tools` is the address of a tuple; see _native.py. */
int ga_setup(intptr_t tools);
