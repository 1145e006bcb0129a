"""Much to send and input cut anywhere: right, and in work that grows with the data alone."""

import asynchat
import asyncore
import random

import pytest
from support import LIMIT, FakeSocket, pair

MANY = 100 << 20  # bytes


class Sink(asyncore.dispatcher):
    """Counts what it receives, and stops after `size` bytes."""

    def __init__(self, sock, channels, size):
        asyncore.dispatcher.__init__(self, sock, channels)
        self.left = size

    def writable(self):
        return False

    def handle_read(self):
        self.left -= len(self.recv(1 << 20))
        if self.left <= 0:
            self._map.clear()


class Sender(asyncore.dispatcher_with_send):
    pass


class Chat(asynchat.async_chat):
    def __init__(self, sock=None, channels=None, terminator=b"\n"):
        asynchat.async_chat.__init__(self, sock, channels)
        self.set_terminator(terminator)
        self.lines = []

    def collect_incoming_data(self, data):
        self._collect_incoming_data(data)

    def found_terminator(self):
        self.lines.append(self._get_data())

    def feed(self, *pieces):
        """Receive the pieces, one at a time."""
        for piece in pieces:
            self.socket = FakeSocket(recv=piece)
            self.handle_read()


@pytest.mark.ours_only("3.11 copies the rest at each step: it would take hours")
@pytest.mark.parametrize("kind", ["sender", "chat", "producer"])
def test_a_hundred_megabytes_queued_at_once(use_poll, channels, closing, kind):
    near, far = closing(*pair())
    far.setblocking(False)
    Sink(far, channels, MANY)
    data = bytes(MANY)
    if kind == "sender":
        Sender(near, channels).send(data)
    elif kind == "chat":
        Chat(near, channels).push(data)
    else:
        Chat(near, channels).push_with_producer(asynchat.simple_producer(data, 1 << 16))
    asyncore.loop(LIMIT, use_poll, channels)


@pytest.mark.ours_only("3.11 copies the rest at each step: it would take hours")
def test_many_small_pieces_queued_while_the_socket_takes_none():
    class Full(FakeSocket):
        def send(self, data):
            handed.append(len(data))
            raise BlockingIOError(11, "full")

    handed = []
    sender = Sender(None, {})
    sender.socket = Full()
    for _ in range(20_000):
        sender.send(b"x" * 64)
    assert len(sender.out_buffer) == 20_000 * 64
    assert max(handed) == 65536


def test_partial_sends_take_the_data_in_order(channels):
    """A socket that takes one, two, ... bytes at a time."""

    class Slow(FakeSocket):
        def send(self, data):
            size = min(len(data), len(taken) % 5000 + 1)
            taken.append(bytes(data[:size]))
            return size

    data = random.Random(1).randbytes(1 << 20)
    for make in (Sender, Chat):
        taken = []
        channel = make(None, {})
        channel.socket, channel.connected = Slow(), True
        if make is Sender:
            channel.send(data)
        else:
            channel.push(data)
        while channel.writable():
            channel.handle_write()
        assert b"".join(taken) == data


TERMINATORS = [b"\n", b"\r\n", b"aab", b"abababac", b"ab" * 40 + b"c", b"x" * 200, b"a" * 99 + b"b"]


@pytest.mark.parametrize("terminator", TERMINATORS, ids=lambda t: f"{len(t)}-{t[:4].decode()!r}")
def test_input_cut_anywhere(terminator):
    rand = random.Random(len(terminator))
    alphabet = [*sorted(set(terminator)), ord("z")]
    lines = [
        bytes(rand.choices(alphabet, k=rand.randrange(0, 150))).replace(terminator, b"") + b"z"
        for _ in range(12)
    ]
    lines = [line for line in lines if terminator not in line + terminator[:-1]]
    text = b"".join(line + terminator for line in lines)
    for size in [1, 2, 3, 7, len(terminator), len(terminator) + 1, 64, len(text)]:
        chat = Chat(None, {}, terminator)
        chat.feed(*(text[at : at + size] for at in range(0, len(text), size)))
        assert chat.lines == lines, size
    for cut in range(len(text)):
        chat = Chat(None, {}, terminator)
        chat.feed(text[:cut], text[cut:])
        assert chat.lines == lines, cut


@pytest.mark.ours_only("3.11 searches the beginning of a terminator again with each byte")
def test_a_long_terminator_that_comes_bytewise():
    """20,000 bytes of a terminator, a byte at a time: 200,000,000 comparisons if done naively."""
    terminator = b"ab" * 10_000 + b"c"
    chat = Chat(None, {}, terminator)
    chat.feed(*(bytes([byte]) for byte in b"ab" * 5 + terminator))
    assert chat.lines == [b"ab" * 5]


def test_a_buffer_full_of_short_lines(use_poll, channels, closing):
    near, far = closing(*pair())
    far.settimeout(LIMIT)
    chat = Chat(near, channels)
    for _ in range(4):
        far.sendall(b"x\n" * 32768)
        while len(chat.lines) < 32768:
            asyncore.loop(LIMIT, use_poll, channels, 1)
        assert chat.lines == [b"x"] * 32768
        chat.lines.clear()


def test_the_input_buffer_is_exact_in_callbacks():
    class Looking(Chat):
        def collect_incoming_data(self, data):
            seen.append((bytes(data), bytes(self.ac_in_buffer)))

        def found_terminator(self):
            seen.append(bytes(self.ac_in_buffer))

    for size in (3, 5000):
        seen = []
        text = b"".join(b"%d\n" % number for number in range(size)) + b"rest"
        Looking(None, {}).feed(text)
        expected, at = [], 0
        for line in text.split(b"\n")[:-1]:
            expected.append((line, text[at:]))
            at += len(line) + 1
            expected.append(text[at:])
        assert seen == [*expected, (b"rest", b"rest")]


def test_callbacks_change_what_is_being_read():
    class Changing(Chat):
        def found_terminator(self):
            Chat.found_terminator(self)
            command = self.lines[-1]
            if command == b"count":
                self.set_terminator(5)
            elif command == b"all":
                self.set_terminator(None)
            elif command == b"drop":
                self.ac_in_buffer = b""
            elif command == b"put":
                self.ac_in_buffer = b"first\n" + self.ac_in_buffer
            elif command == b"raise":
                raise ValueError("found")
            else:
                self.set_terminator(b"\n")

    for padding in (b"", b"x" * 20_000 + b"\n"):
        tail = [padding[:-1]] if padding else []
        chat = Changing(None, {})
        chat.feed(b"count\n12345next\nput\n" + padding)
        assert chat.lines == [b"count", b"12345", b"next", b"put", b"first", *tail]
        chat = Changing(None, {})
        chat.feed(b"drop\n" + padding, b"next\n")
        assert chat.lines == [b"drop", b"next"]
        chat = Changing(None, {})
        chat.feed(b"all\n1\n2" + padding, b"3")
        assert b"".join(chat.incoming) == b"1\n2" + padding + b"3"
        chat = Changing(None, {})
        with pytest.raises(ValueError, match="found"):
            chat.feed(b"raise\nnext\n" + padding)
        chat.feed(b"last\n")
        assert chat.lines == [b"raise", b"next", *tail, b"last"]


def test_the_buffer_outlives_a_terminator_that_is_computed():
    class Computing(Chat):
        def get_terminator(self):
            if self.grown:
                self.grown -= 1
                self.ac_in_buffer += b"y" * 50_000 + b"\n"
            return b"\n"

    chat = Computing(None, {})
    chat.grown = 20
    chat.feed(b"x\n" * 10_000)
    assert chat.lines == [b"x"] * 10_000 + [b"y" * 50_000] * 20


def test_numbers_for_terminators_in_every_cut():
    text = bytes(range(256)) * 8
    for size in (1, 3, 100, 2048):
        chat = Chat(None, {}, 16)
        chat.found_terminator = lambda chat=chat: (
            chat.lines.append(chat._get_data()),
            chat.set_terminator(16),
        )
        chat.feed(*(text[at : at + size] for at in range(0, len(text), size)))
        assert chat.lines == [text[at : at + 16] for at in range(0, len(text), 16)]
