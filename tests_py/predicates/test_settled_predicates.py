"""Predicates that depend on attributes and lengths alone: each change counts in the next pass.

Natively they are not called in between; `test_those_that_are_not_called_again` says which.
"""

import asyncore
import builtins
import threading

import changing_predicates
import pytest
from changing_predicates import CHANGES, Channel, either, items, raw
from support import one_pass, pair


@pytest.fixture
def made(channels, closing, monkeypatch):
    """Makes a channel whose class has that predicate; others of the class stay idle."""

    monkeypatch.setattr(changing_predicates, "FLAG", False)  # and so put back
    monkeypatch.setattr(changing_predicates, "LIMIT", 3)
    monkeypatch.setattr(changing_predicates.holder, "value", 1)
    monkeypatch.setattr(Channel, "shared", ())

    def make(predicate, *bases, **attributes):
        kind = type("Made", bases or (Channel,), {"writable": predicate, **attributes})
        kind.kind = kind
        made = [kind(closing(*pair())[0], channels) for _ in range(3)]
        return made[1]

    return make


@pytest.mark.parametrize("predicate", CHANGES, ids=lambda function: function.__name__)
@pytest.mark.parametrize("quiet", [0, 2])
def test_each_change_counts_in_the_next_pass(use_poll, channels, made, predicate, quiet):
    answers = set()
    for do, undo in CHANGES[predicate]:
        channel = made(predicate)
        one_pass(use_poll, channels)
        for change in (do, undo, do, undo):
            change(channel)
            told, answer = channel.told, bool(channel.writable())
            answers.add(answer)
            for number in range(1, 2 + quiet):
                one_pass(use_poll, channels)
                assert channel.told == told + answer * number
        undo(channel)
        channels.clear()
    assert answers == {True, False}


@pytest.mark.parametrize("apart", [True, False], ids=["a pass between", "at once"])
@pytest.mark.parametrize("first", ["store", "hide"])
@pytest.mark.parametrize("name", ["writable", "handle_write", "handle_write_event"])
def test_what_an_instance_hides_counts_beside_what_it_stores(
    use_poll, channels, made, name, first, apart
):
    """A store of a value alone does not make the engine look for what the instance hides."""
    channel, hidden = made(changing_predicates.flag), []
    channel.flag = True
    one_pass(use_poll, channels)
    assert channel.told == 1

    def store():
        channel.flag = not channel.flag
        channel.flag = True

    def hide():
        setattr(channel, name, lambda: hidden.append(name))

    def show():
        delattr(channel, name)

    for change in (hide, show, hide, show):
        steps = [store, change] if first == "store" else [change, store]
        for step in steps:
            step()
            if apart:
                one_pass(use_poll, channels)
        hidden.clear()
        channel.told = 0
        for _ in range(3):
            one_pass(use_poll, channels)
        calls = 3 if change is hide else 0
        told = 0 if change is hide else 3
        assert (len(hidden), channel.told) == (calls, told)


def test_code_and_defaults_replaced(use_poll, channels, made):
    def answer(self):
        return self.flag

    def other(self):
        return not self.flag

    channel = made(answer)
    one_pass(use_poll, channels)
    answer.__code__ = other.__code__
    one_pass(use_poll, channels)
    assert channel.told == 1
    answer.__code__ = (lambda self, yes=False: yes).__code__
    answer.__defaults__ = (False,)
    one_pass(use_poll, channels)
    assert channel.told == 1
    answer.__defaults__ = ([1],)
    one_pass(use_poll, channels)
    assert channel.told == 2
    answer.__defaults__[0].pop()
    one_pass(use_poll, channels)
    assert channel.told == 2
    answer.__code__ = (lambda self, *, yes=False: yes).__code__
    answer.__kwdefaults__ = {"yes": False}
    one_pass(use_poll, channels)
    answer.__kwdefaults__["yes"] = True
    one_pass(use_poll, channels)
    assert channel.told == 3


def test_code_of_what_it_calls_replaced(use_poll, channels, made):
    def helper(self):
        return self.flag

    def answer(self):
        return self.helper()

    channel = made(answer, helper=helper)
    one_pass(use_poll, channels)
    helper.__code__ = (lambda self: not self.flag).__code__
    one_pass(use_poll, channels)
    assert channel.told == 1


def test_super_and_what_stands_between(use_poll, channels, closing, monkeypatch):
    class Middle(Channel):
        pass

    class Made(Middle):
        def writable(self):
            return super().writable() and self.flag

    channel = Made(closing(*pair())[0], channels)
    channel.flag = True
    one_pass(use_poll, channels)
    assert channel.told == 1
    Middle.writable = lambda self: self.number
    one_pass(use_poll, channels)
    assert channel.told == 1
    channel.number = 1
    one_pass(use_poll, channels)
    assert channel.told == 2
    del Middle.writable
    monkeypatch.setattr(asyncore.dispatcher, "writable", lambda self: False)
    one_pass(use_poll, channels)
    assert channel.told == 2
    monkeypatch.undo()
    one_pass(use_poll, channels)
    assert channel.told == 3

    class Quiet(Middle):
        def writable(self):
            return False

    Made.writable.__closure__[0].cell_contents, before = Channel, Made
    Middle.writable = lambda self: False
    one_pass(use_poll, channels)
    assert channel.told == 4  # after Channel comes dispatcher
    Made.writable.__closure__[0].cell_contents = before
    one_pass(use_poll, channels)
    assert channel.told == 4
    Made.__bases__ = (Channel,)
    one_pass(use_poll, channels)
    assert channel.told == 5
    Made.__bases__ = (Quiet,)
    one_pass(use_poll, channels)
    assert channel.told == 5


def test_a_variable_of_an_enclosing_function(use_poll, channels, made):
    waiting = False

    def answer(self):
        return waiting

    channel = made(answer)
    one_pass(use_poll, channels)
    waiting = True
    one_pass(use_poll, channels)
    assert channel.told == 1


@pytest.mark.parametrize("where", ["globals", "builtins"])
def test_a_builtin_that_is_shadowed(use_poll, channels, made, where):
    names = {"__builtins__": dict(vars(builtins))}
    exec("def answer(self): return len(self.data) > 0", names)
    channel = made(names["answer"])
    one_pass(use_poll, channels)
    space = names if where == "globals" else names["__builtins__"]
    space["len"] = lambda thing: 1
    one_pass(use_poll, channels)
    assert channel.told == 1
    space["len"] = len
    one_pass(use_poll, channels)
    assert channel.told == 1


def test_a_container_of_two_channels(use_poll, channels, made):
    first, second = made(items), made(items)
    first.items = second.items
    one_pass(use_poll, channels)
    first.items += [1, 2, 3]
    one_pass(use_poll, channels)
    assert (first.told, second.told) == (1, 1)
    channels.pop(second._fileno)
    second.__dict__.clear()
    del second
    one_pass(use_poll, channels)
    first.items.clear()
    one_pass(use_poll, channels)
    assert first.told == 2


def test_a_container_that_is_gone(use_poll, channels, made):
    channel = made(raw)
    for size in range(200):
        one_pass(use_poll, channels)
        channel.bytes = bytearray(size % 2)
        del channel.bytes
        type(channel).bytes = bytearray()
        one_pass(use_poll, channels)
        type(channel).bytes = [b"x"] * (size % 3)
        channel.told = 0
        one_pass(use_poll, channels)
        assert bool(channel.told) is (size % 3 > 0)
        channel.bytes = bytearray()


def test_what_another_thread_stores(use_poll, channels, made):
    channel = made(either)
    one_pass(use_poll, channels)
    for data in (b"x", b"", b"xyz"):
        thread = threading.Thread(target=setattr, args=(channel, "data", data))
        thread.start()
        thread.join()
        channel.told = 0
        one_pass(use_poll, channels)
        assert bool(channel.told) is bool(data)


def test_an_attribute_that_is_missing(use_poll, channels, made):
    def answer(self):
        return self.flag or self.missing

    channel = made(answer)
    for other in list(channels.values()):
        other.flag = other is not channel
        if other is not channel:
            other.handle_write = int
    for _ in range(2):
        with pytest.raises(AttributeError, match="missing"):
            one_pass(use_poll, channels)
    channel.missing = 1
    one_pass(use_poll, channels)
    assert channel.told == 1
    del channel.missing
    with pytest.raises(AttributeError, match="missing"):
        one_pass(use_poll, channels)


def test_an_exception_is_raised_each_time(use_poll, channels, made):
    def answer(self):
        return self.number < self.text

    made(answer)
    for _ in range(3):
        with pytest.raises(TypeError):
            one_pass(use_poll, channels)


@pytest.mark.ours_only("3.11 calls all of them")
@pytest.mark.parametrize("predicate", CHANGES, ids=lambda function: function.__name__)
def test_those_that_are_not_called_again(goasyncore, channels, made, predicate):
    if goasyncore.backend().name != "native":
        pytest.skip("a portable pass calls all of them")
    made(predicate)
    asyncore.loop(0, map=channels, count=3)
    before = goasyncore.stats(channels).predicates_asked
    asyncore.loop(0, map=channels, count=20)
    assert goasyncore.stats(channels).predicates_asked == before
