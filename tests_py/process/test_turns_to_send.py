"""While one thread sends what a channel has stored, another thread does not send it once more."""

import asyncore
import errno
import threading

import pytest
from support import LIMIT, FakeSocket, run_python

pytestmark = pytest.mark.ours_only("3.11 sends it twice")


class Waiting(FakeSocket):
    """A socket whose first send() waits, without the GIL, after it has sent."""

    def __init__(self):
        FakeSocket.__init__(self)
        self.sends, self.begun, self.may_end = [], threading.Event(), threading.Event()

    def send(self, data):
        self.sends.append(bytes(data))
        if len(self.sends) == 1:
            self.begun.set()
            assert self.may_end.wait(LIMIT)
        return len(data)


class Sender(asyncore.dispatcher_with_send):
    __hash__ = None

    def __eq__(self, other):
        raise AssertionError("channels are not compared")


@pytest.fixture
def sender():
    """It exists while there is another thread, as turns are taken only then."""
    done = threading.Event()
    thread = in_thread(done.wait, LIMIT)
    sender = Sender(None, {})
    sender.socket, sender.connected = Waiting(), True
    yield sender
    done.set()
    thread.join(LIMIT)


def in_thread(function, *args):
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("size", [3, 70_000])
def test_data_of_another_thread_is_sent_when_the_rest_is_stored(sender, size):
    first, second = b"a" * size, b"b" * size
    thread = in_thread(sender.send, first)
    assert sender.socket.begun.wait(LIMIT)
    names = set(vars(sender))
    sender.send(second)  # returns, and sends nothing
    sender.handle_write()
    assert len(sender.socket.sends) == 1
    assert bytes(sender.out_buffer) == first + second
    assert set(vars(sender)) == names
    sender.socket.may_end.set()
    thread.join(LIMIT)
    while sender.out_buffer:
        sender.handle_write()
    assert b"".join(sender.socket.sends) == first + second


def test_nothing_waits_for_the_next_pass(sender):
    thread = in_thread(sender.send, b"first")
    assert sender.socket.begun.wait(LIMIT)
    sender.send(b"second")
    sender.socket.may_end.set()
    thread.join(LIMIT)
    assert sender.socket.sends == [b"first", b"second"]
    assert sender.out_buffer == b""


def test_threads_that_ask_again_and_again_do_not_keep_one_sending(sender):
    asked = []

    def send(data):
        asked.append(len(data))
        assert len(asked) < 100
        other = in_thread(sender.send, b"x")
        other.join(LIMIT)
        return len(data)

    sender.socket.send = send
    sender.send(b"x")
    assert 1 < len(asked) < 20
    assert sender.out_buffer == b"x"


def fails_once(sender, why):
    """Have the first send() raise that. Returns a list of what is given to send()."""
    sent = []

    def send(data):
        sent.append(bytes(data))
        if len(sent) == 1:
            raise why
        return len(data)

    sender.socket.send = send
    return sent


def test_a_send_within_a_send_of_the_same_thread(sender):
    sent, closed = fails_once(sender, OSError(errno.EPIPE, "")), []
    sender.handle_close = lambda: (closed.append(1), sender.send(b"b"))
    sender.send(b"a")
    assert (sent, closed, sender.out_buffer) == ([b"a", b"ab"], [1], b"")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
def test_a_turn_ends_with_an_exception(sender, kind):
    sent = fails_once(sender, kind(errno.ENOBUFS, ""))
    raised = []

    def first():
        try:
            sender.send(b"a")
        except kind as why:
            raised.append(why)

    in_thread(first).join(LIMIT)
    assert len(raised) == 1
    in_thread(sender.send, b"b").join(LIMIT)
    assert sent == [b"a", b"ab"]


def test_a_child_of_a_fork_sends_while_a_thread_of_the_parent_does():
    run_python(
        """
        import asyncore, os, socket, threading, warnings
        warnings.simplefilter("ignore")
        begun, may_end, sends = threading.Event(), threading.Event(), []

        class Waiting:
            def send(self, data):
                sends.append(bytes(data))
                if len(sends) == 1:
                    begun.set()
                    assert may_end.wait(20)
                return len(data)

        near, far = socket.socketpair()
        channels = {}
        sender = asyncore.dispatcher_with_send(near, channels)
        asyncore.loop(0, False, channels, 1)  # loads the engine
        sender.socket = Waiting()
        thread = threading.Thread(target=sender.send, args=(b"a",))
        thread.start()
        assert begun.wait(20)
        child = os.fork()
        if not child:
            sender.send(b"b")
            os._exit(sends != [b"a", b"ab"])
        assert os.waitpid(child, 0)[1] == 0
        may_end.set()
        thread.join(20)
        """
    )
