"""Predicates are called in map order, and what one changes counts for those after it in that pass.

This holds for predicates that are not called in each pass as well.
"""

import asyncore
import builtins
import sys
import types

import pytest
from support import one_pass, pair

module = types.ModuleType("module")


class Channel(asyncore.dispatcher):
    def __init__(self, sock, channels, seen, number=0):
        self.seen, self.number = seen, number
        self.items, self.flag, self.text = [], False, ""
        asyncore.dispatcher.__init__(self, sock, channels)

    def readable(self):
        return False

    def handle_write(self):
        self.seen.append(self.number)


class Acting(Channel):
    """Does that when it is asked, once."""

    act = None

    def readable(self):
        if self.act is not None:
            act, self.act = self.act, None
            act()
        return False

    def writable(self):
        return False


class ByLength(Channel):
    def writable(self):
        return len(self.items) > 0


class ByFlag(Channel):
    def writable(self):
        return self.flag


class ByMissing(Channel):
    def writable(self):
        return self.missing


class ByText(Channel):
    def writable(self):
        return self.text > ""


@pytest.fixture
def made(channels, closing):
    """Makes a channel of each of these classes, in this order, and lets a few passes go by."""

    def make(use_poll, *kinds, **attributes):
        seen = []
        for number, kind in enumerate(kinds):
            channel = kind(closing(*pair())[0], channels, seen, number)
            vars(channel).update(attributes)
        for _ in range(3):
            one_pass(use_poll, channels)
        return [*channels.values(), seen]

    return make


@pytest.mark.parametrize("others", [2, 100])
@pytest.mark.parametrize("place", [0, 1])
def test_a_length_that_a_predicate_changes(use_poll, channels, made, others, place):
    kinds = [ByLength] * others
    kinds.insert(place * others // 2, Acting)
    *all_of_them, seen = made(use_poll, *kinds)
    acting = all_of_them[place * others // 2]
    acting.act = lambda: [channel.items.append(1) for channel in all_of_them]
    one_pass(use_poll, channels)
    assert seen == [channel.number for channel in all_of_them if channel.number > acting.number]
    del seen[:]
    one_pass(use_poll, channels)
    assert seen == [channel.number for channel in all_of_them if channel is not acting]


def test_lengths_that_one_of_many_predicates_changes(use_poll, channels, made):
    *all_of_them, seen = made(use_poll, *([Acting] + [ByLength] * 19) * 10)
    for first, then in ((0, 199), (20, 21), (160, 161)):
        later = all_of_them[then].items
        all_of_them[first].act = lambda later=later: later.append(1)
    one_pass(use_poll, channels)
    assert seen == [21, 161, 199]


def test_a_class_that_a_predicate_changes(use_poll, channels, made, monkeypatch):
    _, acting, _, seen = made(use_poll, ByFlag, Acting, ByFlag)
    acting.act = lambda: monkeypatch.setattr(ByFlag, "writable", lambda self: True)
    one_pass(use_poll, channels)
    assert seen == [2]
    one_pass(use_poll, channels)
    assert seen == [2, 0, 2]


def test_exceptions_come_in_map_order(use_poll, channels, made):
    first, second, third, _ = made(use_poll, ByText, ByMissing, ByText, missing=0)
    third.text = b""
    del second.missing
    first.text = 5
    for error, text in ((TypeError, "'int' and 'str'"), (AttributeError, "missing")):
        for _ in range(2):
            with pytest.raises(error, match=text):
                one_pass(use_poll, channels)
        first.text = ""
    second.missing = 0
    with pytest.raises(TypeError, match="'bytes' and 'str'"):
        one_pass(use_poll, channels)


def test_a_predicate_before_one_that_would_raise(use_poll, channels, made):
    acting, broken, seen = made(use_poll, Acting, ByMissing, missing=0)
    del broken.missing
    acting.act = lambda: setattr(broken, "missing", 1)
    one_pass(use_poll, channels)
    assert seen == [1]
    del broken.missing
    acting.act = lambda: seen.append("acted")
    with pytest.raises(AttributeError, match="missing"):
        one_pass(use_poll, channels)
    assert seen == [1, "acted"]


def test_builtins_that_count_calls(use_poll, channels, made, monkeypatch):
    channel, seen = made(use_poll, ByLength)
    genuine, answers = len, [0]
    monkeypatch.setattr(
        builtins, "len", lambda it: answers[0] if it is channel.items else genuine(it)
    )
    for answers[0] in (0, 1, 0, 1):
        one_pass(use_poll, channels)
    assert seen == [0, 0]


def test_a_constant_while_bool_is_replaced(use_poll, channels, made, monkeypatch):
    _, seen = made(use_poll, ByFlag)
    monkeypatch.setattr(builtins, "bool", lambda it: 5)
    monkeypatch.setattr(ByFlag, "writable", lambda self: "yes")
    one_pass(use_poll, channels)
    assert seen == [0]


@pytest.mark.parametrize("own", [False, True])
def test_an_object_of_the_class_that_becomes_a_descriptor(use_poll, channels, made, own):
    class Thing:
        pass

    class ByThing(Channel):
        thing = Thing()

        def writable(self):
            return self.thing is None

    channel, seen = made(use_poll, ByThing)
    if own:
        channel.thing = 0
        one_pass(use_poll, channels)
        Thing.__set__ = lambda self, owner, value: None
    Thing.__get__ = lambda self, owner, kind: None
    one_pass(use_poll, channels)
    assert seen == [0]
    del Thing.__get__
    one_pass(use_poll, channels)
    assert seen == [0]


@pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="CPython itself goes on reading the module's dict"
)
def test_a_module_that_gets_another_class(use_poll, channels, made, monkeypatch):
    class Computed(types.ModuleType):
        limit = property(lambda self: 1)

    class ByLimit(Channel):
        def writable(self):
            return module.limit

    monkeypatch.setattr(module, "limit", 0, raising=False)
    _, seen = made(use_poll, ByLimit)
    module.__class__ = Computed
    one_pass(use_poll, channels)
    module.__class__ = types.ModuleType
    one_pass(use_poll, channels)
    assert seen == [0]
