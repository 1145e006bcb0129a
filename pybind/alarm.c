/* Ends waits of busy loops, which have no timeout of their own. */
#include "alarm.h"
#include "guest.h"

uint32_t ga_alarm_tick;

#ifndef __linux__
int ga_alarm_begin(ga_map *Py_UNUSED(go), ga_waker *Py_UNUSED(waker))
{
    return 0;
}
void ga_alarm_forget(ga_map *Py_UNUSED(go))
{
}
#else
#include <pthread.h>
#include <sys/prctl.h>
#include <time.h>

enum { MOST = 256, TICK = 25000000 /* ns */, LATEST = 0x7fffffff, STACK = 1 << 17 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that follows */
static pthread_cond_t asked = PTHREAD_COND_INITIALIZER;
static struct {
    ga_map *go;
    ga_waker *waker;
} maps[MOST];
static int map_count, started;

/* Wakes the pollers of waits that have lasted for more than one tick. Whether any wait has relied on this lately. */
static int look(uint32_t tick)
{
    int lately = 0;
    for (int i = 0; i < map_count; i++) {
        uint32_t relies = __atomic_load_n(&maps[i].go->relies, __ATOMIC_SEQ_CST), age = (tick - (relies >> 1)) & LATEST;
        if (relies & 1 && age >= 2)
            ga_waker_end_wait(maps[i].waker);
        lately |= relies & 1 || (relies && age < 4);
    }
    return lately;
}

static void *keep_time(void *Py_UNUSED(unused))
{
    uint32_t tick = 1;
    prctl(PR_SET_NAME, "asyncore-alarm");
    pthread_mutex_lock(&lock);
    for (;;) {
        __atomic_store_n(&ga_alarm_tick, tick, __ATOMIC_SEQ_CST);
        pthread_mutex_unlock(&lock);
        nanosleep(&(struct timespec){.tv_nsec = TICK}, NULL);
        pthread_mutex_lock(&lock);
        tick = tick == LATEST ? 1 : tick + 1;
        if (!look(tick)) {
            /* A wait that begins before the second look is found by it; one that begins later finds no tick. */
            __atomic_store_n(&ga_alarm_tick, 0, __ATOMIC_SEQ_CST);
            if (!look(tick))
                pthread_cond_wait(&asked, &lock);
        }
    }
    return NULL;
}

static int start(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes))
        return 0;
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = ga_create_thread(&thread, &attributes, keep_time, NULL);
    pthread_attr_destroy(&attributes);
    return !error;
}

int ga_alarm_begin(ga_map *go, ga_waker *waker)
{
    pthread_mutex_lock(&lock);
    int known = 0;
    for (int i = 0; i < map_count; i++)
        known |= maps[i].go == go;
    if (!known && map_count < MOST) {
        maps[map_count].go = go;
        maps[map_count++].waker = waker;
        known = 1;
    }
    if (known && !started)
        started = known = start();
    pthread_cond_signal(&asked);
    pthread_mutex_unlock(&lock);
    return known;
}

void ga_alarm_forget(ga_map *go)
{
    if (ga_forked) /* the thread is not here, and may have held the lock */
        return;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < map_count; i++)
        if (maps[i].go == go)
            maps[i--] = maps[--map_count];
    pthread_mutex_unlock(&lock);
}
#endif
