/* Keeps Go's runtime from disturbing the process. That is about room for descriptors, the signals that Go's threads see, what
 * signals do, and how often Go's monitor wakes up.
 *
 * On Linux setup.py links with --wrap for two functions, so that the calls of them in Go's runtime come here instead:
 * pthread_create, with which it starts each of its threads, and _cgo_wait_runtime_init_done, with which each call from Python
 * into Go begins. Elsewhere only dispositions are restored, when the extension is set up. */
#include "cpython.h" /* first: Python.h asks libc for what is GNU's */
#include "guest.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#ifdef __linux__
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#define HIGH 960 /* engine/poller/fd_high.go: the engine's descriptors have numbers from here on */

int32_t ga_threads;
static struct sigaction before[NSIG]; /* what the program had for each signal before the library was loaded */

/* When threads share the table of descriptors, the kernel needs 10 ms (an RCU grace period) to make it larger. */
static void make_room(void)
{
    int low = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int high = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, HIGH);
    if (high >= 0)
        close(high);
    if (low >= 0)
        close(low);
}

#ifdef __linux__
static struct sigaction gos[NSIG]; /* Go's own handlers of faults */
/* From the linker: where this library begins, and where its code ends, Go's included. */
extern const char __ehdr_start[] __attribute__((visibility("hidden"))), etext[] __attribute__((visibility("hidden")));
static void has_left(void *value);
static pthread_key_t leaving; /* its destructor counts the threads that end */
#endif

/* Go's own constructor has no priority, so this one runs before it. */
__attribute__((constructor(101))) static void before_go(void)
{
    make_room();
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, NULL, &before[sig]);
#ifdef __linux__
    pthread_key_create(&leaving, has_left);
#endif
}

/* -- what signals do --------------------------------------------------------------------------- */

#ifdef __linux__
static uintptr_t pc_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
    (void)context;
    return (uintptr_t)__ehdr_start; /* Go's handler finds out whether it is Go's */
#endif
}

/* Is called instead of Go's handler of a fault. A fault in Go's code is a panic, from which the engine recovers; any other is
 * the program's. Go's own handler would pass that on as well, but if the program has no handler, it ends the process with a
 * status of Go's. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
    const struct sigaction *next = &before[sig];
    if (!ga_forked && info->si_code > 0 && pc_of(context) - (uintptr_t)__ehdr_start < (uintptr_t)(etext - __ehdr_start))
        next = &gos[sig];
    if (next->sa_flags & SA_SIGINFO) {
        next->sa_sigaction(sig, info, context);
    } else if (next->sa_handler != SIG_DFL) {
        next->sa_handler(sig);
    } else { /* the instruction faults again, or the signal comes again: then the kernel ends the process */
        sigaction(sig, next, NULL);
        if (info->si_code <= 0)
            raise(sig);
    }
}

#endif

/* Restores what the program had for each signal. Go keeps the faults that are panics in its code, unless the program ignores
 * them, which processes that it starts inherit. Go has added SA_ONSTACK to the program's handlers; that stays, because Go's
 * stacks are too small for them. If a signal is pending, blocked and ignored by default, the kernel drops it when its default
 * is restored, so it is sent again. */
static void restore_dispositions(void)
{
    sigset_t pending, left;
    sigpending(&pending);
    for (int sig = 1; sig < NSIG; sig++) {
        struct sigaction now, *old = &before[sig];
        if (sigaction(sig, NULL, &now) < 0 || now.sa_handler == old->sa_handler)
            continue;
        struct sigaction next = *old;
        if ((sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE) && (old->sa_flags & SA_SIGINFO || old->sa_handler != SIG_IGN)) {
#ifdef __linux__
            gos[sig] = now;
            next.sa_sigaction = on_fault; /* with the mask and the flags of the program's handler */
            next.sa_flags = (old->sa_flags | SA_SIGINFO | SA_ONSTACK) & ~SA_RESETHAND;
#else
            continue;
#endif
        }
        sigaction(sig, &next, NULL);
        sigpending(&left);
        if (sigismember(&pending, sig) && !sigismember(&left, sig))
            kill(getpid(), sig);
    }
}

#ifndef __linux__
void ga_guest_setup(void)
{
    restore_dispositions();
}
void ga_guest_forked(void)
{
}
#else
void ga_guest_setup(void)
{
}

/* -- which signals a thread sees --------------------------------------------------------------- */

/* When a thread becomes Go's, or calls Go for the first time, Go unblocks some signals in it, such as SIGCHLD and SIGPROF, and
 * cannot be told not to: the program would miss those that it has blocked to wait for them. So the thread has a signal pending
 * that nothing else uses and that Go unblocks with the others. It is delivered before Go goes on, and before any other signal,
 * and its handler sets the mask that the thread is meant to have. */
static __thread int arrived __attribute__((tls_model("initial-exec")));
static __thread sigset_t wanted __attribute__((tls_model("initial-exec")));
static int arriving;            /* threads that have the signal pending */
static struct sigaction unused; /* what it does otherwise */
static char arriving_lock;

static void has_left(void *Py_UNUSED(value))
{
    __atomic_sub_fetch(&ga_threads, 1, __ATOMIC_RELAXED);
}

static void lock(void)
{
    while (__atomic_test_and_set(&arriving_lock, __ATOMIC_ACQUIRE))
        ;
}

static void unlock(void)
{
    __atomic_clear(&arriving_lock, __ATOMIC_RELEASE);
}

static void has_arrived(void)
{
    lock();
    if (--arriving == 0)
        sigaction(SIGSTKFLT, &unused, NULL);
    unlock();
}

static void on_arrival(int Py_UNUSED(sig), siginfo_t *Py_UNUSED(info), void *context)
{
    memcpy(&((ucontext_t *)context)->uc_sigmask, &wanted, _NSIG / 8);
    has_arrived();
}

/* Requires all signals to be blocked. */
static void arrive(void)
{
    struct sigaction action = {.sa_sigaction = on_arrival, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    arrived = 1;
    lock();
    if (arriving++ == 0)
        sigaction(SIGSTKFLT, &action, &unused);
    unlock();
    if (syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSTKFLT) < 0) /* a seccomp filter refuses it */
        has_arrived();
}

void ga_guest_forked(void)
{
    if (arriving)
        sigaction(SIGSTKFLT, &unused, NULL);
    arriving = arriving_lock = 0;
}

uintptr_t __real__cgo_wait_runtime_init_done(void);

/* One of Python's threads is about to call Go. */
uintptr_t __wrap__cgo_wait_runtime_init_done(void)
{
    uintptr_t context = __real__cgo_wait_runtime_init_done();
    if (!arrived) {
        sigset_t all, own;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &own);
        wanted = own;
        arrive();
        __atomic_add_fetch(&ga_threads, 1, __ATOMIC_RELAXED);
        pthread_setspecific(leaving, &ga_threads);
        sigaddset(&own, SIGSTKFLT);
        pthread_sigmask(SIG_SETMASK, &own, NULL);
    }
    return context;
}

/* -- Go's threads ------------------------------------------------------------------------------ */

/* After each wait of a loop, Go's monitor, its second thread, sleeps for 20 µs some sixty times before it rests. Nothing of ours
 * depends on it, because each thread has a processor (see pybind.go) and no wait stops the others for long (shortWait and Alarm
 * in engine/selector). With so much slack, a sleep ends when the kernel has something else to do, or after a second: Go's
 * collector can overlook a thread that is just entering a system call, as stopping the world can, and then waits for the call to
 * end or for the monitor to look twice. So the slack is how long an engine may stand still. With a tenth of it, a message
 * every 20 ms costs a fifth more CPU time; with ten times as much, it costs the same. */
#define MONITOR 2
#define MONITOR_SLACK 1000000000UL /* ns */

typedef struct {
    void *(*start)(void *);
    void *argument;
    int number;
} birth;

static void *begin(void *given)
{
    birth own = *(birth *)given;
    PyMem_RawFree(given);
    if (own.number == MONITOR) {
        sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}); /* a real-time thread has no slack */
        prctl(PR_SET_TIMERSLACK, MONITOR_SLACK);
    }
    /* Except faults, and the signals of the C library, which changes user IDs in all threads by one. */
    sigfillset(&wanted);
    sigdelset(&wanted, SIGSEGV);
    sigdelset(&wanted, SIGBUS);
    sigdelset(&wanted, SIGFPE);
    for (int sig = 32; sig < SIGRTMIN; sig++)
        ((unsigned long *)&wanted)[0] &= ~(1UL << (sig - 1));
    arrive();
    return own.start(own.argument);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);

int ga_create_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    sigset_t all, own;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &own);
    int error = __real_pthread_create(thread, attributes, start, argument);
    pthread_sigmask(SIG_SETMASK, &own, NULL);
    return error;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    static int number;
    birth *own = PyMem_RawMalloc(sizeof *own);
    if (!own)
        return EAGAIN;
    *own = (birth){start, argument, __atomic_add_fetch(&number, 1, __ATOMIC_RELAXED)};
    if (own->number == 1) /* Go has installed its handlers, and runs nothing yet */
        restore_dispositions();
    int error = ga_create_thread(thread, attributes, begin, own);
    if (error) {
        PyMem_RawFree(own);
        __atomic_sub_fetch(&number, 1, __ATOMIC_RELAXED);
    }
    return error;
}
#endif
