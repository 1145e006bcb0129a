"""async_chat.ac_in_buffer in callbacks: bytes, all of the input that has not been handed on."""

import asynchat
import asyncore
import copy
import time

import pytest
from support import pair, run_python, run_until


class Chat(asynchat.async_chat):
    """Writes down its lines, and the input buffer in each callback."""

    def __init__(self, sock=None, channels=None):
        asynchat.async_chat.__init__(self, sock, {} if channels is None else channels)
        self.set_terminator(b"\n")
        self.lines, self.looks = [], []

    def look(self):
        self.looks.append(self.ac_in_buffer)

    def collect_incoming_data(self, data):
        self.look()
        self._collect_incoming_data(data)

    def found_terminator(self):
        self.look()
        self.lines.append(self._get_data())

    def feed(self, *parts):
        for part in parts:
            self.recv = lambda size, part=part: part
            self.handle_read()
        vars(self).pop("recv", None)


def socketed(kind, text, channels, closing, size=None):
    """A chat of that kind that has read the text through a socket, which is the engine's way."""
    near, far = pair()
    chat = kind(near, channels)
    if size:
        chat.ac_in_buffer_size = size
    closing(far)
    far.sendall(text)
    run_until(lambda: sum(map(len, chat.lines)) + len(chat.lines) >= len(text), channels)
    return chat


LINES = b"".join(b"%d\n" % number for number in range(6000))  # 29 KB


def test_it_is_bytes_and_exact_each_time(channels, closing):
    chat = socketed(Chat, LINES, channels, closing)
    expected, at = [], 0
    for line in LINES.split(b"\n")[:-1]:
        expected += [LINES[at:], LINES[at + len(line) + 1 :]]
        at += len(line) + 1
    assert chat.looks == expected
    assert {type(look) for look in chat.looks} == {bytes}
    assert type(chat.ac_in_buffer) is bytes


@pytest.mark.parametrize("use", [hash, memoryview, lambda data: {data: 1}, bytes.decode, copy.copy])
def test_it_can_be_kept_and_used_as_bytes(channels, closing, use):
    class Keeping(Chat):
        def look(self):
            if len(self.looks) < 200:
                self.looks.append(use(self.ac_in_buffer))

    chat = socketed(Keeping, LINES, channels, closing)
    assert chat.lines == LINES.split(b"\n")[:-1]
    assert len(chat.looks) == 200
    assert chat._fileno in channels


@pytest.mark.parametrize("way", ["attribute", "getattr", "hasattr", "another object"])
@pytest.mark.parametrize("every", [1, 7, 1000])
def test_whoever_looks(channels, closing, way, every):
    class Looking(Chat):
        count = 0

        def look(self):
            self.count += 1
            if self.count % every == 0:
                if way == "attribute":
                    self.looks.append(len(self.ac_in_buffer))
                elif way == "getattr":
                    self.looks.append(len(getattr(self, "ac_in_buffer", b"")))
                elif way == "hasattr":
                    assert hasattr(self, "ac_in_buffer")
                else:
                    self.looks.append(len(operator(self)))

    def operator(chat):
        return chat.ac_in_buffer

    chat = socketed(Looking, LINES, channels, closing)
    assert chat.lines == LINES.split(b"\n")[:-1]
    assert chat.looks == sorted(chat.looks, reverse=True)


def test_what_a_callback_puts_there_is_read_next():
    class Changing(Chat):
        def found_terminator(self):
            Chat.found_terminator(self)
            if self.lines[-1] == b"drop":
                self.ac_in_buffer = b""
            elif self.lines[-1] == b"discard":
                self.discard_buffers()
            elif self.lines[-1] == b"put":
                self.ac_in_buffer = b"first\n" + self.ac_in_buffer
            elif self.lines[-1] == b"other":
                self.ac_in_buffer = b"other things\n" * 2000
            elif self.lines[-1] == b"again":
                self.feed(b"fed\n")

    chat = Changing()
    chat.feed(b"drop\n" + LINES, b"next\n")
    assert chat.lines == [b"drop", b"next"]
    chat = Changing()
    chat.feed(b"discard\n" + LINES, b"next\n")
    assert chat.lines == [b"discard", b"next"]
    chat = Changing()
    chat.feed(b"put\n" + LINES)
    assert chat.lines == [b"put", b"first", *LINES.split(b"\n")[:-1]]
    chat = Changing()
    chat.feed(b"other\n" + LINES)
    assert chat.lines == [b"other"] + [b"other things"] * 2000
    chat = Changing()
    chat.feed(b"again\n" + LINES)  # reads on in the inner call
    assert chat.lines == [b"again", *LINES.split(b"\n")[:-1], b"fed"]


@pytest.mark.parametrize("where", ["collect_incoming_data", "found_terminator", "get_terminator"])
def test_an_exception_leaves_what_was_not_handed_on(where):
    class Failing(Chat):
        fails = 3

        def fail(self):
            self.fails -= 1
            if not self.fails:
                raise ValueError("three")

        def collect_incoming_data(self, data):
            if where == "collect_incoming_data":
                self.fail()
            Chat.collect_incoming_data(self, data)

        def found_terminator(self):
            if where == "found_terminator":
                self.fail()
            Chat.found_terminator(self)

        def get_terminator(self):
            if where == "get_terminator":
                self.fail()
            return b"\n"

    chat = Failing()
    with pytest.raises(ValueError, match="three"):
        chat.feed(LINES)
    rest = {"found_terminator": LINES[6:]}.get(where, LINES[4:])
    assert vars(chat)["ac_in_buffer"] == rest
    chat.feed(b"last\n")
    assert chat.lines[-1] == b"last"


@pytest.mark.parametrize("terminator", [b"\n", b"\r\n\r\n", b"=" * 70, 16, 1])
def test_terminators_of_every_kind_in_much_input(channels, closing, terminator):
    """Held against input that comes in pieces too short for any special way."""

    class Piecewise(Chat):
        def __init__(self, sock, channels):
            Chat.__init__(self, sock, channels)
            self.set_terminator(terminator)

        def found_terminator(self):
            self.lines.append(self._get_data())
            self.looks = []
            self.set_terminator(terminator)

        def look(self):
            pass

    separator = terminator if isinstance(terminator, bytes) else b"-"
    text = separator.join(b"%d" % number for number in range(4000)) + separator
    text = text[: len(text) // 16 * 16] if isinstance(terminator, int) else text
    short = Piecewise(None, {})
    short.feed(*(text[at : at + 100] for at in range(0, len(text), 100)))
    whole = Piecewise(None, {})
    whole.feed(text)
    assert whole.lines == short.lines
    assert b"".join(whole.lines)
    assert (whole.ac_in_buffer, whole.incoming) == (short.ac_in_buffer, short.incoming)


@pytest.mark.parametrize("hook", ["slot", "property", "getattribute", "setattr", "class attribute"])
def test_subclasses_with_ways_of_their_own(hook):
    class Plain(Chat):
        def look(self):
            self.looks.append(type(self.ac_in_buffer))

    class Slot(Plain):
        __slots__ = ("ac_in_buffer",)

    class Property(Plain):
        kept = b""

        @property
        def ac_in_buffer(self):
            return self.kept

        @ac_in_buffer.setter
        def ac_in_buffer(self, data):
            self.kept = data

    class Getattribute(Plain):
        def __getattribute__(self, name):
            return object.__getattribute__(self, name)

    class Setattr(Plain):
        def __setattr__(self, name, value):
            object.__setattr__(self, name, value)

    class ClassAttribute(Plain):
        ac_in_buffer = b""

    kinds = [Slot, Property, Getattribute, Setattr, ClassAttribute]
    kind = next(k for k in kinds if k.__name__.lower() == hook.replace(" ", ""))
    chat = kind()
    chat.feed(LINES, b"one more\n")
    assert chat.lines == [*LINES.split(b"\n")[:-1], b"one more"]
    assert set(chat.looks) == {bytes}


@pytest.mark.ours_only("3.11 copies the rest for each line")
def test_the_time_of_reading_goes_by_the_input():
    """And not by its square, where a pass reads much at once."""

    class Quiet(Chat):
        count = 0

        def collect_incoming_data(self, data):
            pass

        def found_terminator(self):
            self.count += 1

    def taken(size):
        chat = Quiet()
        began = time.perf_counter()
        chat.feed(b"ab\n" * (size // 3))
        assert chat.count == size // 3
        return time.perf_counter() - began

    short = min(taken(1 << 15) for _ in range(3))
    assert taken(1 << 19) < 64 * short  # 16 times the input; 256 would be the square


def test_without_an_input_there_is_no_attribute():
    chat = Chat.__new__(Chat)
    assert not hasattr(chat, "ac_in_buffer")
    with pytest.raises(AttributeError, match="'Chat' object has no attribute 'ac_in_buffer'"):
        _ = chat.ac_in_buffer
    chat.ac_in_buffer = b"x"
    assert vars(chat) == {"ac_in_buffer": b"x"}
    del chat.ac_in_buffer
    assert asyncore.dispatcher.__dict__.get("ac_in_buffer") is None


@pytest.mark.ours_only("3.11 never has it")
def test_the_class_has_the_attribute_when_an_input_is_long():
    """Not before: each look at the attribute of a channel would cost several times as much."""
    run_python("""
import asynchat, asyncore, socket

class Chat(asynchat.async_chat):
    def collect_incoming_data(self, data):
        pass
    def found_terminator(self):
        inputs.append(self.ac_in_buffer)

def receive(text):
    far.sendall(text)
    while sum(map(len, inputs[-1:])) or len(inputs) < text.count(b"\\n"):
        asyncore.loop(1, count=1)

inputs = []
near, far = socket.socketpair()
chat = Chat(near)
chat.set_terminator(b"\\n")
receive(b"one\\ntwo\\n")
assert "ac_in_buffer" not in vars(asynchat.async_chat)
inputs.clear()
receive(b"one\\n" * 5000)
assert inputs == [b"one\\n" * left for left in range(4999, -1, -1)]
assert "ac_in_buffer" in vars(asynchat.async_chat)
""")
