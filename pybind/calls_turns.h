/* Turns of threads that send through the same channel, so that nothing is sent twice. They are as in goasyncore/_turns.py. */
#pragma once

#include "cpython.h"

enum { GA_NO_TURN = -1, GA_ANOTHERS_TURN = -2 };

/* Takes the turn to send for a channel. GA_ANOTHERS_TURN: another thread has it, and sends again when it has stored the rest.
 * GA_NO_TURN: this thread has it already, or there are too many; that can be ended as well. */
int ga_turn_take(PyObject *channel);

/* Ends the turn. Whether to call initiate_send again: another thread has asked to send, and data is stored. If the channel is
 * NULL, or that raises, 0; an exception that was set stays set. */
int ga_turn_end(int turn, PyObject *channel);

void ga_turns_forked(void); /* in the child of any fork: there, other threads' turns never end */
