//go:build gopy_binding

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
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

/* engine/poller/fd_high.go puts the engine's descriptors from here on. */
#define ASIDE_FROM 960

/* What the program had for each signal before the library was loaded, and what Go has in its place. */
static struct sigaction before[NSIG];

int32_t ga_threads;
static int forked;

/* Growing the table of descriptors takes the kernel 10 ms (an RCU grace period) once threads share it. */
static void make_room(void)
{
    int low = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int high = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, ASIDE_FROM);
    if (high >= 0)
        close(high);
    if (low >= 0)
        close(low);
}

#ifdef __linux__
static struct sigaction gos[NSIG];     /* Go's own handlers of faults */
static uintptr_t text_begin, text_end; /* of this library, Go's code included */
static void has_left(void *value);
static pthread_key_t leaving; /* its destructor counts the threads that end */

static int find_text(struct dl_phdr_info *info, size_t size, void *inside)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && part->p_flags & PF_X && (uintptr_t)inside - begin < part->p_memsz) {
            text_begin = begin;
            text_end = begin + part->p_memsz;
            return 1;
        }
    }
    return 0;
}
#endif

/* Go initialises itself in a constructor too, but in one without a priority: so this comes before. */
__attribute__((constructor(101))) static void before_go(void)
{
    make_room();
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, NULL, &before[sig]);
#ifdef __linux__
    pthread_key_create(&leaving, has_left);
    dl_iterate_phdr(find_text, (void *)(uintptr_t)before_go);
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
    return text_begin; /* Go's handler finds out whether it is Go's */
#endif
}

/* Stands before Go's handler of a fault. A fault in Go's code is a panic, and the engine recovers from it; any other
 * is the program's. Go's own handler would pass it on too, but ends the process with a status of Go's where the
 * program has no handler. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
    const struct sigaction *next = &before[sig];
    if (!forked && info->si_code > 0 && pc_of(context) - text_begin < text_end - text_begin)
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

/* Gives each signal back what the program had for it. Go keeps the faults that are panics in its code, unless the program
 * ignores them: what it starts inherits that. That Go has added SA_ONSTACK to the program's handlers stays, as Go's
 * stacks are too small for them. A signal that is pending, blocked and ignored by default is dropped by the kernel when it
 * gets its default back, so it is sent again. */
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
            next.sa_sigaction = on_fault; /* with the mask and the flags of the program's */
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
    forked = 1;
}
#else
void ga_guest_setup(void)
{
}

/* -- which signals a thread sees --------------------------------------------------------------- */

/* When a thread becomes Go's, or calls Go for the first time, Go unblocks some signals in it, SIGCHLD and SIGPROF among
 * them: the program would miss those that it has blocked to wait for. There is no asking Go not to. So such a thread
 * has a signal pending that nobody else uses and that Go unblocks with the others: it is delivered before Go goes on,
 * and before any other, and its handler sets the mask that the thread is to have. */
static __thread int arrived __attribute__((tls_model("initial-exec")));
static __thread sigset_t wanted __attribute__((tls_model("initial-exec")));
static int arriving;            /* how many threads have the signal pending */
static struct sigaction unused; /* what it does otherwise */
static char arriving_lock;

static void has_left(void *value)
{
    (void)value;
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

static void on_arrival(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)info;
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
    if (syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSTKFLT) < 0) /* a seccomp filter */
        has_arrived();
}

void ga_guest_forked(void)
{
    forked = 1;
    if (arriving)
        sigaction(SIGSTKFLT, &unused, NULL);
    arriving = arriving_lock = 0;
}

uintptr_t __real__cgo_wait_runtime_init_done(void);

/* A thread of Python's is about to call Go. */
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

/* Go's monitor, its second thread, sleeps for 20 µs some sixty times after each wait of a loop before it rests, and
 * nothing of ours depends on it: each thread has a processor (see pybind.go). With so much slack a sleep ends when
 * the kernel has something else to do anyway. */
#define MONITOR 2
#define MONITOR_SLACK 10000000000UL /* ns */

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
    /* Faults, and what the C library's own threads have to see: it changes user IDs in all of them by a signal. */
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

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    static int number;
    birth *own = PyMem_RawMalloc(sizeof *own);
    if (!own)
        return EAGAIN;
    *own = (birth){start, argument, __atomic_add_fetch(&number, 1, __ATOMIC_RELAXED)};
    if (own->number == 1) /* Go has made its handlers by now, and runs nothing yet */
        restore_dispositions();
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = __real_pthread_create(thread, attributes, begin, own);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error) {
        PyMem_RawFree(own);
        __atomic_sub_fetch(&number, 1, __ATOMIC_RELAXED);
    }
    return error;
}
#endif
