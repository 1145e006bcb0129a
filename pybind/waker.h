/* The poller's waker as C uses it: to end a wait, and to learn of signals during one.
 *
 * The program may have closed the poller's descriptors, and opened files of its own under their numbers. So each is checked
 * before it is used. No function here runs Python code unless it says so. */
#pragma once

#include "cpython.h"

#include <sys/stat.h>

typedef struct {
    int fds[2];           /* it is read at the first and written at the second; -1: none yet */
    struct stat files[2]; /* what these were, when the poller opened them */
    int poller;           /* the poller's epoll set or kqueue; -1: it has none */
    int programs_fd;      /* while it listens: what the program gave signal.set_wakeup_fd(), or -1 */
    uint8_t listening;    /* it is what CPython writes signals to */
} ga_waker;

void ga_waker_hold(ga_waker *w, int poller, int read_end, int write_end);
void ga_waker_end_wait(ga_waker *w);
void ga_waker_close(ga_waker *w); /* and the poller; async-signal-safe */

/* Before a wait, which is 0 seconds long unless it `rests`: runs signal handlers, and ends the wait at the next signal. */
int ga_waker_listen(ga_waker *w, int rests);
void ga_waker_unlisten(ga_waker *w); /* after the wait; async-signal-safe */

/* Needs no GIL. Hands on the numbers of signals that ended the wait. */
void ga_waker_pass_signals_on(ga_waker *w, const void *numbers, int count);
