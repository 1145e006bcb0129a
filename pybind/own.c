//go:build gopy_binding

/* The poller's own descriptors, as far as C uses them: to end a wait, to hear of signals during one, and to close
 * them in a forked child and with the map. A program may have closed them, and the numbers may be its own by now: each
 * is looked at before it is used. None of these runs Python code. */
#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
#include <sys/event.h>
#endif

static unsigned long main_thread;

static ga_identity identify(int fd)
{
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) < 0)
        return (ga_identity){0, 0};
    return (ga_identity){(uint64_t)stat.st_dev, (uint64_t)stat.st_ino};
}

static int owns(ga_mirror *m, int end)
{
    ga_identity now = identify(m->wake_fds[end]);
    return m->wake_fds[end] >= 0 && now.device == m->wake_ids[end].device && now.inode == m->wake_ids[end].inode;
}

/* Whether the poller's descriptor is still the set or queue with the waker in it. */
static int owns_poller(ga_mirror *m)
{
    if (m->go.poller_fd < 0 || !owns(m, 0))
        return 0;
#ifdef __linux__
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0xffffffff}; /* what the engine's entry has */
    return epoll_ctl(m->go.poller_fd, EPOLL_CTL_MOD, m->wake_fds[0], &event) == 0;
#elif defined(EV_SET)
    struct kevent change;
    EV_SET(&change, (uintptr_t)m->wake_fds[0], EVFILT_READ, EV_ENABLE, 0, 0, NULL);
    return kevent(m->go.poller_fd, &change, 1, NULL, 0, NULL) == 0;
#else
    return 0;
#endif
}

void ga_own_close(ga_mirror *m)
{
    if (owns_poller(m))
        close(m->go.poller_fd);
    m->go.poller_fd = -1;
    for (int end = 0; end < 2; end++) {
        if (owns(m, end))
            close(m->wake_fds[end]);
        m->wake_fds[end] = -1;
    }
}

void ga_own_end_wait(ga_mirror *m)
{
    int saved = errno;
    /* A full pipe means that it is awake already. */
    if (owns(m, 1) && write(m->wake_fds[1], "", 1) < 0) {
    }
    errno = saved;
}

void ga_own_hold(ga_mirror *m, int poller, int read_end, int write_end)
{
    m->go.poller_fd = poller;
    m->wake_fds[0] = read_end;
    m->wake_fds[1] = write_end;
    for (int end = 0; end < 2; end++)
        m->wake_ids[end] = identify(m->wake_fds[end]);
}

/* -- signals ----------------------------------------------------------------------------------- */

/* Whether this thread is Python's main one. */
static int is_main(void)
{
    unsigned long here = PyThread_get_thread_ident();
    if (!main_thread) {
#ifdef __APPLE__
        int first = pthread_main_np();
#else
        int first = PyThread_get_thread_native_id() == (unsigned long)getpid();
#endif
        if (!first)
            return 0;
        main_thread = here;
    }
    return here == main_thread;
}

/* Between the last check for signals and the wait lie microseconds in which a signal interrupts nothing. So during a
 * wait of the main thread, and no longer, the waker is what signal.set_wakeup_fd() sets: a signal that comes then ends
 * the wait, whichever thread the kernel gives it to. It costs
 * 30 ns a pass (1,278 against 1,248; medians of 15 interleaved runs of 200,000 passes over one idle channel). */
static int start_listening(ga_mirror *m)
{
    if (!m->rests || m->wake_fds[1] < 0 || !is_main() || !ga_wakeup_fd_works(m->wake_fds[1]))
        return 0;
    m->programs_fd = ga_set_wakeup_fd(m->wake_fds[1]);
    m->listening = 1;
    return 1;
}

void ga_unlisten(ga_mirror *m)
{
    if (!m->listening)
        return;
    m->listening = 0;
    int now = ga_set_wakeup_fd(m->programs_fd);
    if (now != m->wake_fds[1]) /* a signal handler has set it meanwhile */
        ga_set_wakeup_fd(now);
}

int ga_listen_and_check(ga_mirror *m)
{
    if (PyErr_CheckSignals() < 0) /* once with the program's own, which handlers may look at */
        return -1;
    return start_listening(m) ? PyErr_CheckSignals() : 0;
}

void ga_pass_signals_on(ga_map *go, const void *numbers, int count)
{
    ga_mirror *m = (ga_mirror *)go;
    if (m->programs_fd >= 0 && write(m->programs_fd, numbers, (size_t)count) < 0) {
        /* It is full, or closed: CPython drops the bytes as well. */
    }
}

int ga_own_setup(void)
{
    /* threading knows the main thread; without it the process's first thread is taken for it, in is_main(). Nothing is
     * imported: a program may have changed its root or sys.path. */
    PyObject *name = PyUnicode_FromString("threading"), *threading = name ? PyImport_GetModule(name) : NULL;
    PyObject *thread = threading ? PyObject_CallMethod(threading, "main_thread", NULL) : NULL;
    PyObject *ident = thread ? PyObject_GetAttrString(thread, "ident") : NULL;
    if (ident && ident != Py_None)
        main_thread = PyLong_AsUnsignedLong(ident);
    Py_XDECREF(name);
    Py_XDECREF(threading);
    Py_XDECREF(thread);
    Py_XDECREF(ident);
    return PyErr_Occurred() ? -1 : 0;
}
