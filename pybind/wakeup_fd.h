/* signal.set_wakeup_fd() for C, in the main thread. */
#pragma once

int ga_set_wakeup_fd(int fd);   /* returns the one before; async-signal-safe */
int ga_wakeup_fd_works(int fd); /* in this thread; tried with fd; leaves no exception */

/* Writes the numbers of signals as CPython does, and reports a failure as it does. Needs no GIL. */
void ga_write_signals(int fd, const char *numbers, int count);
