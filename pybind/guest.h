/* Keeps Go's runtime from disturbing the process. */
#pragma once

#include <stdint.h>
#ifdef __linux__
#include <pthread.h>

/* pthread_create for a thread that begins with all signals blocked, and that is not Go's. */
int ga_create_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
#endif

extern int32_t ga_threads; /* how many of Python's threads have called Go and still exist; atomic */

void ga_guest_setup(void);
void ga_guest_forked(void); /* in the child of any fork */
