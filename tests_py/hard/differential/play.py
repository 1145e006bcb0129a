"""Plays random asyncore programs and writes down what they do; one line of JSON for each.

    python -P play.py BACKEND FIRST LAST

A program is what one seed gives: channels of every kind, and actions taken at random between passes
and in handlers. The same seed is the same program as long as the module under it does the same, so
two modules that differ anywhere end with different traces. BACKEND is the one that has to serve, or
"reference" for a module that is not ours. `deeds.py` has what a program may do.
"""

import asyncore
import io
import json
import random
import sys
import warnings

from deeds import ACTIONS, WEIGHTS, WHILE_ASKED, Stop
from players import Cast

STEPS = 14
LEAVES = (Exception, Stop, KeyboardInterrupt, SystemExit)


def describe(error):
    words = [type(error).__name__]
    if isinstance(error, OSError):
        words.append(str(error.errno))
    elif type(error) in (ValueError, Stop, asyncore.ExitNow):
        words.append(str(error))
    return " ".join(words)


class Program:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.trace = []
        self.maps = [{}, {}]
        self.cast = Cast(self)
        self.depth = 0
        self.left = 400  # actions and notes; a program that feeds itself ends here

    def note(self, *words):
        self.trace.append(" ".join(str(word) for word in words))

    def act(self, times, asked=False):
        """Take so many random actions; an action may raise, and that is part of the program."""
        for _ in range(times):
            if self.left <= 0:
                return
            self.left -= 1
            if asked:
                action = self.rng.choice(WHILE_ASKED)
            else:
                _, action = self.rng.choices(ACTIONS, WEIGHTS)[0]
            self.note("do", action.__name__)
            action(self)

    def handler(self, name, event):
        """What every handler does: say so, and sometimes something."""
        self.note(name, event)
        self.act(self.rng.choice((0, 0, 0, 1, 1, 2)))

    def loop(self, channels):
        """Make one or two passes in one of the ways that there are."""
        way = self.rng.randrange(4)
        self.depth += 1
        try:
            if way == 0:
                asyncore.poll(0, channels)
            elif way == 1:
                asyncore.poll2(0, channels)
            else:
                asyncore.loop(0, way == 2, channels, self.rng.randint(1, 2))
        finally:
            self.depth -= 1

    def attempt(self, action):
        try:
            action()
        except LEAVES as error:
            self.note("left with", describe(error))

    def play(self):
        try:
            for _ in range(self.rng.randint(2, 5)):
                self.attempt(self.cast.enter)
            for _ in range(STEPS):
                self.attempt(lambda: self.act(self.rng.randint(0, 3)))
                self.attempt(lambda: self.loop(self.rng.choice(self.maps)))
                self.note("maps", self.cast.names_in(self.maps))
        finally:
            self.cast.end()
        return self.trace


def check(backend):
    if backend == "reference":
        assert "goasyncore" not in sys.modules
        assert not hasattr(asyncore, "_own_tells"), asyncore.__file__
        return
    import goasyncore

    served = goasyncore.backend()
    assert served.name == backend, served


def main():
    backend, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    check(backend)
    # Programs print and warn; what they do is in the trace.
    out, sys.stdout, sys.stderr = sys.stdout, io.StringIO(), io.StringIO()
    for seed in range(first, last):
        json.dump([seed, Program(seed).play()], out)
        out.write("\n")
    out.flush()


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
