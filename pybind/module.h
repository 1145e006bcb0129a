/* Sets the other files up and connects them; the only one that knows all. */
#pragma once

#include <stdint.h>

/* All of these take the GIL. */

/* `tools` is the address of a tuple; see _native.py. */
int ga_setup(intptr_t tools);

/* The same for asynchat, which may be imported later. */
int ga_setup_chat(intptr_t tools);

/* Watches the instance dict of the object at that address, as a channel's; 0, or -1 without an exception. ga_probe_count
 * returns, and resets, how many changes the watcher has seen. ga_trust says what passed the test; see watch.h. */
int ga_probe(intptr_t object);
int ga_probe_count(void);
void ga_trust(int level);
