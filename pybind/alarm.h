/* Ends waits of busy loops, which have no timeout of their own.
 *
 * A wait with a timeout sets a timer in the kernel, and removes it when it ends. That is 0.85 of the 13 us that an echo takes in one
 * of 8 threads, and in a busy loop no such timer ever expires. So where several loops run, a thread looks every 25 ms which waits of
 * busy ones have lasted for that long, and wakes their pollers. It rests while none is busy. It is not Go's, so it also ends a wait
 * that Go's runtime waits for. */
#pragma once

#include "engine.h"
#include "waker.h"

extern uint32_t ga_alarm_tick; /* rises every 25 ms; 0 while the thread rests; atomic */

/* Needs no GIL. Makes the thread run, and look after the map's waits until the map is forgotten. 0 if that is not possible. */
int ga_alarm_begin(ga_map *go, ga_waker *waker);
void ga_alarm_forget(ga_map *go);
