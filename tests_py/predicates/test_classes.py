"""Classes of channels that come, change and go while the loop runs."""

import asynchat
import asyncore
import collections
import gc
import sys
import weakref

import pytest
from support import LIMIT, one_pass, pair, run_python


class Noting(asyncore.dispatcher):
    """Waits for nothing, but notes the handlers that are called."""

    def __init__(self, sock, channels):
        self.seen = []
        asyncore.dispatcher.__init__(self, sock, channels)

    def readable(self):
        return False

    def writable(self):
        return False

    def handle_read(self):
        self.seen.append("read")

    def handle_write(self):
        self.seen.append("write")


def yes(self):
    return True


def no(self):
    return False


class Leaving(Noting):
    """Is told at once, and leaves the map."""

    writable = yes

    def handle_write(self):
        self.close()


@pytest.mark.parametrize("inherits", [asyncore.dispatcher, asynchat.async_chat, Leaving])
def test_a_class_of_each_connection_goes_with_it(use_poll, channels, closing, inherits):
    made, alive = [], []

    class Server(Noting):
        rounds = 0
        readable = yes

        def handle_read(self):
            gc.collect()
            alive.append(sum(reference() is not None for reference in made))
            self.rounds += 1
            if self.rounds == 40:
                self.del_channel()
                return

            class Fleeting(inherits):
                def handle_write(self):
                    super().close()

                def readable(self):
                    return super().readable() and not self.accepting

                def writable(self):
                    return True

            near, far = pair()
            closing(far)
            made.append(weakref.ref(Fleeting))
            Fleeting(near, channels)

    near, far = closing(*pair())
    far.send(b"x")
    Server(near, channels)
    asyncore.loop(LIMIT, use_poll, channels)
    assert len(made) == 39
    assert max(alive) <= 2  # the last one's
    gc.collect()
    assert not any(reference() for reference in made)


def test_a_class_that_is_used_again_after_its_last_channel_left(use_poll, channels, closing):
    near, far = closing(*pair())
    waiting = Noting(near, channels)

    class Again(Noting):
        pass

    def told():
        one, two = pair()
        closing(one, two)
        channel = Again(one, channels)
        one_pass(use_poll, channels)
        channel.del_channel()
        one_pass(use_poll, channels)
        return channel.seen

    assert told() == []
    Again.writable = yes
    assert told() == ["write"]
    assert told() == ["write"]
    Again.writable.__code__, before = no.__code__, yes.__code__
    try:
        assert told() == []
    finally:
        yes.__code__ = before
    assert told() == ["write"]
    Again.accepting = True
    assert told() == []
    assert waiting.seen == []


def test_a_class_changed_while_it_has_no_channels(use_poll, channels, closing):
    """By a predicate of one channel, before another channel's new class is looked at."""

    class Again(Noting):
        settled = False

    class Changing(Noting):
        def readable(self):
            if Again.settled:
                again.del_channel()
                Again.settled, Again.writable = False, yes
                assert Again.writable is yes  # CPython gives the class a new version
                later.__class__ = Later
            return False

    class Later(Noting):
        pass

    (one, _), (two, _), (three, _) = closing(*pair()), closing(*pair()), closing(*pair())
    again, _, later = Again(one, channels), Changing(two, channels), Noting(three, channels)
    one_pass(use_poll, channels)
    Again.settled = True
    one_pass(use_poll, channels)
    again.set_socket(one, channels)
    one_pass(use_poll, channels)
    assert again.seen == ["write"]


def test_many_classes_at_once_each_changed(use_poll, channels, closing):
    kinds = []
    for _ in range(200):
        near, far = closing(*pair())
        kinds.append(type("Kind", (Noting,), {}))
        kinds[-1](near, channels)
    one_pass(use_poll, channels)
    for at, kind in enumerate(kinds):
        if at % 3 == 0:
            kind.writable = yes
    one_pass(use_poll, channels)
    told = [channel.seen for channel in channels.values()]
    assert told == [["write"] if at % 3 == 0 else [] for at in range(200)]


def test_an_exception_while_a_class_is_looked_at(use_poll, channels, closing):
    """Wherever the stack ends: the pass after that knows of the change."""

    def at_depth(depth):
        return at_depth(depth - 1) if depth else one_pass(use_poll, channels)

    class Changing(Noting):
        pass

    near, far = closing(*pair())
    channel = Changing(near, channels)
    one_pass(use_poll, channels)
    deepest = sys.getrecursionlimit() - len(list(iter_frames()))
    raised = 0
    for depth in range(deepest - 60, deepest):
        Changing.writable = (lambda: lambda self: True)()
        channel.seen.clear()
        try:
            at_depth(depth)
        except RecursionError:
            raised += 1
        one_pass(use_poll, channels)
        assert "write" in channel.seen, depth
        Changing.writable = no
        one_pass(use_poll, channels)
    assert raised


def iter_frames():
    frame = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


class Ordered(type):
    """With its own order of the bases, which may be any."""

    def mro(cls):
        return type.mro(cls)


def test_bases_of_a_class_with_its_own_order(use_poll, channels, closing):
    class Quiet(Noting, metaclass=Ordered):
        pass

    class Loud(Noting, metaclass=Ordered):
        writable = yes

    class Channel(Quiet):
        pass

    class Sub(Channel):
        pass

    (one, _), (three, _) = closing(*pair()), closing(*pair())
    found = [Channel(one, channels), Sub(three, channels)]
    for _ in range(3):
        one_pass(use_poll, channels)
        assert [channel.seen for channel in found] == [[], []]
        Channel.__bases__ = (Loud,)
        one_pass(use_poll, channels)
        assert [channel.seen for channel in found] == [["write"]] * 2
        Channel.__bases__ = (Quiet,)
        for channel in found:
            channel.seen.clear()


@pytest.mark.parametrize("kind", [collections.deque, bytearray, list])
def test_a_queue_that_is_the_classs_replaced(use_poll, channels, closing, kind):
    class Sender(asyncore.dispatcher_with_send):
        out_buffer = kind()

        def handle_write(self):
            self.seen = (*self.seen, "write")

        seen = ()

    near, far = closing(*pair())
    sender = Sender(near, channels)
    del sender.out_buffer
    for _ in range(20):
        one_pass(use_poll, channels)
        Sender.out_buffer = kind()  # the one that was looked at until now is gone
        junk = [kind(b"x" * 8) for _ in range(50)]
        one_pass(use_poll, channels)
        assert sender.seen == (), junk
        Sender.out_buffer.append(1)
        one_pass(use_poll, channels)
        assert sender.seen == ("write",)
        sender.seen = ()
        del Sender.out_buffer[0]


def test_a_third_code_at_the_address_of_the_first(use_poll, channels, closing):
    class Changing(Noting):
        def writable(self):
            return False

    near, far = closing(*pair())
    channel = Changing(near, channels)
    for at in range(50):
        one_pass(use_poll, channels)
        answer = at % 2 == 0
        for code in ("lambda self: None", f"lambda self: {answer}"):
            Changing.writable.__code__ = eval(code).__code__
        channel.seen.clear()
        one_pass(use_poll, channels)
        assert bool(channel.seen) is answer


def test_a_class_changed_and_changed_back_while_it_is_looked_at(use_poll, channels, closing):
    """What stands for a predicate may do anything when it is looked at."""

    class Looking:
        def __init__(self, then):
            self.then = then
            self.__code__ = None

        def __call__(self):
            return False

        @property
        def __globals__(self):
            return self.then()

    class Changing(Noting):
        pass

    def put():
        Changing.writable = passing
        return {}

    def take():
        Changing.writable = no
        return {"_own_predicates": {(None, None): "dispatcher"}}

    passing = Looking(take)
    near, far = closing(*pair())
    channel = Changing(near, channels)
    Changing.readable, Changing.writable = Looking(put), no
    for _ in range(3):
        one_pass(use_poll, channels)
    assert channel.seen == []


ASSIGNED = """
import asyncore, socket, sys

class Quiet(asyncore.dispatcher):
    told = 0
    def readable(self): return False
    def writable(self): return False
    def handle_write(self): self.told += 1
class Loud(Quiet):
    def writable(self): return True

def look(event, args):
    if event == "object.__setattr__" and args[1] == "__class__" and looking:
        asyncore.poll(0, channels)

near, far = socket.socketpair()
channels, looking = {}, True
channel = Quiet(near, channels)
asyncore.poll(0, channels)
sys.addaudithook(look)
for kind, expected in [(Loud, 1), (Quiet, 2), (Loud, 3)]:
    channel.__class__ = kind  # and before it has it, there is a pass
    looking = False
    asyncore.poll(0, channels)
    print(channel.told)
    looking = True
"""


def test_a_pass_while_a_class_is_being_assigned():
    # Of the passes in between, each is still the old class's.
    assert run_python(ASSIGNED).stdout.split() == ["1", "2", "3"]


@pytest.mark.ours_only("3.11 knows no more of a channel than of any object")
@pytest.mark.parametrize("stranger", ["another class", "the channels' class"])
def test_assigning_the_class_of_what_is_no_channel_costs_nothing(channels, closing, stranger):
    """However many channels there are: 20 ms with some thousands, when all were looked at."""
    import time

    near, far = closing(*pair())
    for at in range(20_000):
        channels[100_000 + at] = object.__new__(Noting)
    for channel in channels.values():
        channel.accepting = False
    asyncore.loop(0, False, channels, 1)

    class Some:
        pass

    class Other(Some):
        pass

    class Same(Noting):
        pass

    first, second = (Some, Other) if stranger == "another class" else (Noting, Same)
    thing = first.__new__(first)

    def assign():
        began = time.perf_counter()
        for _ in range(500):
            thing.__class__ = second
            thing.__class__ = first
        return (time.perf_counter() - began) / 1000

    taken = min(assign() for _ in range(5))
    channels.clear()
    assert taken < 20e-6  # of a second; loose, because the machine may be busy
