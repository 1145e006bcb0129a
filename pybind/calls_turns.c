/* Turns of threads that send through the same channel, so that nothing is sent twice. They are as in goasyncore/_turns.py. */
#include "calls_turns.h"

#define MOST 64 /* turns; each is of a thread in a system call, or in one that calls the program */

static struct {
    PyObject *channel; /* NULL: free; only compared */
    unsigned long thread;
    int again;
} turns[MOST];
static int size; /* places that have been in use */

int ga_turn_take(PyObject *channel)
{
    unsigned long thread = PyThread_get_thread_ident();
    int place = GA_NO_TURN;
    for (int i = 0; i < size; i++) {
        if (turns[i].channel == channel) {
            if (turns[i].thread == thread)
                return GA_NO_TURN;
            turns[i].again = 1;
            return GA_ANOTHERS_TURN;
        }
        if (!turns[i].channel)
            place = i;
    }
    if (place < 0 && size < MOST)
        place = size++;
    if (place >= 0) {
        turns[place].channel = channel;
        turns[place].thread = thread;
        turns[place].again = 0;
    }
    return place;
}

int ga_turn_end(int turn, PyObject *channel)
{
    if (turn < 0)
        return 0;
    turns[turn].channel = NULL;
    if (!turns[turn].again || !channel)
        return 0;
    PyObject *stored = PyObject_GetAttr(channel, NAME(out_buffer));
    int any = stored ? PyObject_IsTrue(stored) : 0;
    Py_XDECREF(stored);
    if (PyErr_Occurred())
        PyErr_Clear(); /* the next send raises it again */
    return any > 0;
}

void ga_turns_forked(void)
{
    size = 0;
}
