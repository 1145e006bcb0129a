"""Predicates that are called in each pass, whatever they look like; and those who count calls."""

import functools

import pytest
from changing_predicates import Channel, flag
from support import one_pass, pair, run_python


@pytest.mark.parametrize(
    "way", ["static", "class", "partial", "lambda", "property", "object", "slot"]
)
def test_predicates_that_are_no_functions(use_poll, channels, closing, way):
    calls = []

    def answer(*args):
        calls.append(args)
        return False

    class Object:
        def __call__(self):
            return answer()

    ways = {
        "static": staticmethod(answer),
        "class": classmethod(answer),
        "partial": functools.partial(answer, None),
        "lambda": lambda self: answer(self),
        "property": property(lambda self: answer),
        "object": Object(),
        "slot": property(lambda self: lambda: answer(self)),
    }
    kind = type("Made", (Channel,), {"writable": ways[way]})
    kind(closing(*pair())[0], channels)
    for _ in range(3):
        one_pass(use_poll, channels)
    assert len(calls) == 3


def test_slots_metaclasses_and_attribute_hooks(use_poll, channels, closing):
    class Slot(Channel):
        __slots__ = ("flag",)
        writable = flag

    class Hook(Channel):
        def __getattr__(self, name):
            return self.__dict__["number"] if name == "missing" else None

        def writable(self):
            return self.missing

    class Meta(type):
        shared = True

        def __getattribute__(cls, name):
            return type.__getattribute__(cls, name)

    class OfMeta(Channel, metaclass=Meta):
        writable = flag

    made = [kind(closing(*pair())[0], channels) for kind in (Slot, Hook, OfMeta)]
    slot, hook, of_meta = made
    one_pass(use_poll, channels)
    slot.flag = hook.number = of_meta.flag = 1
    one_pass(use_poll, channels)
    assert [channel.told for channel in made] == [1, 1, 1]
    slot.flag = hook.number = of_meta.flag = 0
    one_pass(use_poll, channels)
    assert [channel.told for channel in made] == [1, 1, 1]


TRACED = """
import asyncore, socket, sys

def trace(frame, event, arg):
    if event == "call":
        calls.append(frame.f_code)

class Channel(asyncore.dispatcher):
    flag = False
    def readable(self): return False
    def writable(self): return self.flag

way, use_poll = sys.argv[1], sys.argv[2] == "True"
channels, (near, far) = {}, socket.socketpair()
Channel(near, channels)
asyncore.loop(0, use_poll, channels, 2)
for _ in range(2):
    calls = []
    if way == "monitoring":
        monitoring = sys.monitoring
        monitoring.use_tool_id(3, "tests")
        event = monitoring.events.PY_START
        monitoring.register_callback(3, event, lambda code, offset: calls.append(code))
        monitoring.set_events(3, event)
    else:
        getattr(sys, way)(trace)
    asyncore.loop(0, use_poll, channels, 3)
    if way == "monitoring":
        monitoring.set_events(3, 0)
        monitoring.free_tool_id(3)
    else:
        getattr(sys, way)(None)
    # The constant, and what reads an attribute.
    print(calls.count(Channel.readable.__code__), calls.count(Channel.writable.__code__))
    asyncore.loop(0, use_poll, channels, 2)
"""


@pytest.mark.parametrize(
    "way",
    ["settrace", "setprofile", pytest.param("monitoring", marks=pytest.mark.ours_only("3.12's"))],
)
def test_who_traces_sees_each_call(use_poll, way):
    # In a process of its own: CPython does not take all of it back.
    assert run_python(TRACED, way, use_poll).stdout.split() == ["3"] * 4
