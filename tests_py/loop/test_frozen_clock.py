"""A clock that stands still, as freezegun's: in `time`, and in every module with a name for one of
its functions.
"""

import asyncore
import sys
import time

import pytest
from support import LIMIT, Recorder, pair

REAL = [time.clock_gettime]  # in a list, where the freezing does not look


def elapsed():
    return REAL[0](time.CLOCK_MONOTONIC)


@pytest.fixture
def frozen(monkeypatch, channels, closing, use_poll):
    near, far = closing(*pair())
    Recorder(near, channels)
    asyncore.loop(0, use_poll, channels, 1)  # all modules are loaded
    functions = {
        id(getattr(time, name)): value
        for name, value in {"time": 1.7e9, "monotonic": 1.7e9, "perf_counter": 1.7e9}.items()
    }
    mine = ("time", "asyncore", "goasyncore")
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in mine:
            for attribute, value in list(vars(module).items()):
                if id(value) in functions:
                    still = functions[id(value)]
                    monkeypatch.setattr(module, attribute, lambda still=still: still)
    assert time.monotonic() == 1.7e9
    return far


def test_a_wait_takes_its_timeout(frozen, channels, use_poll):
    began = elapsed()
    asyncore.loop(0.05, use_poll, channels, 2)
    assert 0.09 < elapsed() - began < LIMIT


def test_an_event_ends_a_wait(frozen, channels, use_poll):
    frozen.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert next(iter(channels.values())).events == ["read"]


@pytest.mark.ours_only("3.11 schedules nothing")
def test_scheduled_calls_are_made_in_time(frozen, channels, use_poll):
    import goasyncore

    called = []
    began = elapsed()
    goasyncore.call_at(time.monotonic() + 0.08, called.append, 2, map=channels)
    goasyncore.call_later(0.04, called.append, 1, map=channels)
    goasyncore.call_soon_threadsafe(called.append, 0, map=channels)
    while len(called) < 3:
        asyncore.loop(LIMIT, use_poll, channels, 1)
    assert called == [0, 1, 2]
    assert 0.07 < elapsed() - began < LIMIT / 2
