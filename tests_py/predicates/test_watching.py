"""Changes that show in no store on the channel: each counts no later than in the next pass."""

import asynchat
import asyncore
import os
import socket
import threading

import pytest
from support import LIMIT, Recorder, one_pass, pair, run_python


class Sender(asyncore.dispatcher_with_send):
    def __init__(self, sock, channels, name="sender", seen=None):
        asyncore.dispatcher_with_send.__init__(self, sock, channels)
        self.name, self.seen = name, [] if seen is None else seen
        self.then = None

    def note(self, event):
        self.seen.append((self.name, event))
        if self.then is not None:
            then, self.then = self.then, None
            then()

    def handle_read(self):
        self.note("read")

    def handle_write(self):
        self.note("write")


class Chat(asynchat.async_chat):
    def handle_read(self):
        self.recv(100)


@pytest.mark.parametrize("hold", [False, True], ids=["dropped", "held"])
def test_replaced_instance_dict(use_poll, channels, closing, hold):
    near, far = closing(*pair())
    sender = Sender(near, channels)
    one_pass(use_poll, channels)
    old = vars(sender) if hold else None
    sender.__dict__ = {**vars(sender), "out_buffer": b"x"}
    one_pass(use_poll, channels)
    assert sender.seen == [("sender", "write")]
    if old is not None:
        old["out_buffer"] = b""
    one_pass(use_poll, channels)
    assert len(sender.seen) == 2
    sender.out_buffer = b""
    one_pass(use_poll, channels)
    assert len(sender.seen) == 2


def test_replaced_instance_dict_of_a_channel_that_is_a_thread_too(use_poll, channels, closing):
    class Worker(threading.Thread, Sender):
        def __init__(self, sock):
            threading.Thread.__init__(self)
            Sender.__init__(self, sock, channels)

    near, far = closing(*pair())
    worker = Worker(near)
    one_pass(use_poll, channels)
    old = vars(worker)
    worker.__dict__ = {**old, "out_buffer": b"x"}
    one_pass(use_poll, channels)
    assert worker.seen == [("sender", "write")]


def test_instance_dicts_are_got_and_set_as_ever(channels, closing):
    near, far = closing(*pair())
    sender = Sender(near, channels)
    one_pass(False, channels)
    assert sender.__dict__ is vars(sender)
    assert type(vars(asyncore.dispatcher)["__dict__"]).__name__ == "getset_descriptor"
    with pytest.raises(TypeError):
        sender.__dict__ = [1]
    kept = vars(sender)
    del sender.__dict__
    assert vars(sender) == {}
    sender.__dict__ = kept
    assert vars(sender) is kept


def test_two_channels_with_one_dict(use_poll, channels, closing):
    one, two = closing(*pair())
    three, four = closing(*pair())
    first, second = Sender(one, channels, "first"), Sender(three, channels, "second")
    second.__dict__ = first.__dict__
    one_pass(use_poll, channels)
    first.out_buffer = b"x"
    one_pass(use_poll, channels)
    assert [event for _, event in first.seen] == ["write", "write"]


@pytest.mark.parametrize("kind", ["known", "own"])
def test_new_socket_under_the_number_of_the_old_one(use_poll, channels, closing, kind):
    class Own(Sender):
        def readable(self):
            return True

    near, far = pair()
    closing(far)
    sender = (Sender if kind == "known" else Own)(near, channels)
    number = near.fileno()
    again, peer = closing(*pair())

    def renew():
        near.close()
        os.dup2(again.fileno(), number)
        sender.set_socket(socket.socket(fileno=number))
        peer.send(b"x")

    sender.then = renew
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 2)
    assert sender.seen == [("sender", "read")] * 2


def test_map_cleared_and_filled_again_by_a_handler(use_poll, channels, closing):
    (one, two), (three, four) = closing(*pair()), closing(*pair())
    seen = []
    first = Sender(one, channels, "first", seen)
    Sender(three, channels, "second", seen)

    def refill():
        copy = dict(channels)
        channels.clear()
        channels.update(copy)

    first.then = refill
    two.send(b"x")
    four.send(b"x")
    one_pass(use_poll, channels)
    assert seen == [("first", "read"), ("second", "read")]


@pytest.mark.parametrize("way", ["in place", "attribute", "map"])
def test_what_a_predicate_does_to_a_later_channel_counts_in_its_own_pass(
    use_poll, channels, closing, way
):
    class Nosy(Recorder):
        def readable(self):
            if way == "in place":
                chat.producer_fifo.append(b"x")
            elif way == "attribute":
                chat.connected = False
            else:
                channels[chat._fileno] = recorder
            return False

    (one, _), (three, _) = closing(*pair()), closing(*pair())
    nosy = Nosy(one, channels, wants="")
    chat = Chat(three, channels)
    chat.handle_write = lambda: nosy.note("write")
    one_pass(use_poll, {chat._fileno: chat})
    recorder = Recorder(three, {}, wants="w", seen=nosy.seen)
    if way == "map":  # it is too late for this pass
        one_pass(use_poll, channels)
        assert nosy.seen == []
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert nosy.seen == [("", "write")]


def test_bases_assigned(use_poll, channels, closing):
    class Quiet(asyncore.dispatcher_with_send):
        def readable(self):
            return False

        def handle_read(self):
            seen.append("read")

    class Loud(asyncore.dispatcher_with_send):
        def handle_read(self):
            seen.append("read")

    class Channel(Loud):
        pass

    seen = []
    near, far = closing(*pair())
    Channel(near, channels)
    far.send(b"x")
    one_pass(use_poll, channels)
    Channel.__bases__ = (Quiet,)
    one_pass(use_poll, channels)
    assert seen == ["read"]
    Channel.__bases__ = (Loud,)
    one_pass(use_poll, channels)
    assert seen == ["read"] * 2


def test_attribute_hook_set_on_the_class_later(use_poll, channels, closing):
    class Channel(Sender):
        pass

    near, far = closing(*pair())
    channel = Channel(near, channels)
    one_pass(use_poll, channels)
    Channel.__getattribute__ = lambda self, name: (
        b"x" if name == "out_buffer" else object.__getattribute__(self, name)
    )
    one_pass(use_poll, channels)
    assert channel.seen == [("sender", "write")]
    del Channel.__getattribute__
    one_pass(use_poll, channels)
    assert channel.seen == [("sender", "write")]


def test_class_with_more_changes_than_cpython_tells_of(use_poll, channels, closing):
    """CPython 3.13 gives a class a thousand versions, and watchers hear of no change after that."""

    class Channel(Sender):
        count = 0

    near, far = closing(*pair())
    channel = Channel(near, channels)
    for number in range(1500):
        Channel.count = number
        assert channel.count == number
    one_pass(use_poll, channels)
    for answer in (True, False, True):
        Channel.writable = lambda self, answer=answer: answer
        channel.seen.clear()
        one_pass(use_poll, channels)
        assert bool(channel.seen) is answer


def test_predicate_that_ends_its_own_class(use_poll, channels, closing):
    """The class and its functions go while one of them is being asked."""

    class Host(Recorder):
        pass

    (one, _), (three, _) = closing(*pair()), closing(*pair())
    Host(one, channels, wants="")

    def make():
        class Fleeting(asyncore.dispatcher):
            def readable(self):
                del channels[self._fileno]
                del type(self).readable
                self.__class__ = asyncore.dispatcher
                other = {}
                Recorder(one, other, wants="w")
                one_pass(use_poll, other)
                return False

            def writable(self):
                return True

        Fleeting(three, channels)

    make()
    one_pass(use_poll, channels)
    assert three.fileno() not in channels


@pytest.mark.ours_only("3.11 has no backends")
def test_backend_is_told_before_asyncore_is_imported():
    told = "import goasyncore, sys; print(goasyncore.backend().name)"
    expected = run_python("import asyncore\n" + told).stdout
    assert run_python(told, flags=["-W", "error"]).stdout == expected
