"""async_chat: finding terminators in what comes in."""

import asynchat
import asyncore
import collections
import errno

import pytest
from support import pair, run_until, run_until_empty


class Chat(asynchat.async_chat):
    """Writes down each piece between terminators; takes its input from feed()."""

    def __init__(self, sock=None, channels=None):
        asynchat.async_chat.__init__(self, sock, {} if channels is None else channels)
        self.pieces, self.collected, self.input = [], [], []

    def collect_incoming_data(self, data):
        self.collected.append(bytes(data))
        self._collect_incoming_data(data)

    def found_terminator(self):
        self.pieces.append(self._get_data())

    def feed(self, *parts):
        for part in parts:
            self.recv = lambda size, part=part: part
            self.handle_read()
        del self.recv


def test_a_new_chat(channels):
    chat = asynchat.async_chat(map=channels)
    assert (chat.ac_in_buffer, chat.incoming) == (b"", [])
    assert type(chat.ac_in_buffer) is bytes
    assert type(chat.producer_fifo) is collections.deque
    assert len(chat.producer_fifo) == 0
    assert chat._map is channels
    assert not hasattr(chat, "terminator")


def test_class_attributes():
    kind = asynchat.async_chat
    assert (kind.ac_in_buffer_size, kind.ac_out_buffer_size) == (65536, 65536)
    assert (kind.use_encoding, kind.encoding) == (0, "latin-1")


@pytest.mark.parametrize(
    "method, args", [("collect_incoming_data", (b"",)), ("found_terminator", ())]
)
def test_what_has_to_be_overridden(method, args):
    with pytest.raises(NotImplementedError):
        getattr(asynchat.async_chat(map={}), method)(*args)


def test_reads_are_of_the_buffer_size():
    chat, sizes = Chat(), []
    chat.set_terminator(b"\n")
    chat.recv = lambda size: sizes.append(size) or b""
    chat.ac_in_buffer_size = 17
    chat.handle_read()
    assert sizes == [17]


def cuts(data):
    """data whole, in single bytes, and cut in two in each position."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]


@pytest.mark.parametrize("terminator", [b"\n", b"\r\n", b"\r\n\r\n", b"abab", b"aab", b"aaa"])
def test_a_terminator_split_over_reads_in_every_position(terminator):
    data = b"one" + terminator + b"aXb" + terminator + terminator + b"rest"
    pieces = data.split(terminator)
    for parts in cuts(data):
        chat = Chat()
        chat.set_terminator(terminator)
        chat.feed(*parts)
        assert chat.pieces == pieces[:-1], parts
        assert b"".join(chat.incoming) + chat.ac_in_buffer == b"rest"


@pytest.mark.parametrize("terminator, data, piece, rest", [
    (b"aab", b"aaab!", b"a", b"!"),
    (b"\r\n", b"\r\r\n!", b"\r", b"!"),
    (b"abac", b"ababac!", b"ab", b"!"),
])  # fmt: skip
def test_a_false_start_of_a_terminator(terminator, data, piece, rest):
    for parts in cuts(data):
        chat = Chat()
        chat.set_terminator(terminator)
        chat.feed(*parts)
        assert chat.pieces == [piece], parts
        assert chat._get_data() == rest


def test_the_start_of_a_terminator_is_kept_back():
    chat = Chat()
    chat.set_terminator(b"\r\n")
    chat.feed(b"line\r")
    assert (chat.collected, chat.ac_in_buffer) == ([b"line"], b"\r")
    chat.feed(b"\n")
    assert (chat.pieces, chat.ac_in_buffer) == ([b"line"], b"")


def test_empty_data_is_never_collected():
    chat = Chat()
    chat.set_terminator(b"\n")
    chat.feed(b"\n\n", b"", b"x\n", b"\n")
    assert chat.collected == [b"x"]
    assert chat.pieces == [b"", b"", b"x", b""]


@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_count_as_terminator(count):
    data = b"0123456789"
    for parts in cuts(data):
        chat = Chat()
        chat.set_terminator(count)
        chat.feed(*parts)
        # The count is used up at the first; what follows is collected.
        assert chat.pieces == [data[:count]], parts
        assert chat._get_data() == data[count:]
        assert chat.get_terminator() == 0


def test_a_count_goes_down_as_data_comes_in():
    chat = Chat()
    chat.set_terminator(10)
    chat.feed(b"abc")
    assert (chat.get_terminator(), chat.collected, chat.pieces) == (7, [b"abc"], [])


def test_a_count_set_again_in_found_terminator():
    class Records(Chat):
        def found_terminator(self):
            super().found_terminator()
            self.set_terminator(4)

    for parts in cuts(b"aaaabbbbccccdd"):
        chat = Records()
        chat.set_terminator(4)
        chat.feed(*parts)
        assert chat.pieces == [b"aaaa", b"bbbb", b"cccc"], parts
        assert chat._get_data() == b"dd"


@pytest.mark.parametrize("terminator", [None, b"", "", 0])
def test_without_a_terminator_everything_is_collected(terminator):
    chat = Chat()
    chat.set_terminator(terminator)
    assert chat.get_terminator() == terminator
    chat.feed(b"some\n", b"data\r\n")
    assert (chat.collected, chat.pieces) == ([b"some\n", b"data\r\n"], [])
    assert chat.ac_in_buffer == b""


@pytest.mark.parametrize("number", [-1, -100])
def test_a_negative_count_is_a_value_error(number):
    chat = Chat()
    chat.set_terminator(b"\n")
    with pytest.raises(ValueError):
        chat.set_terminator(number)
    assert chat.get_terminator() == b"\n"


def test_a_terminator_changed_in_found_terminator_counts_for_the_rest():
    class Http(Chat):
        def found_terminator(self):
            super().found_terminator()
            self.set_terminator({1: b"\r\n\r\n", 2: 5, 3: None}.get(len(self.pieces)))

    data = b"GET /\r\nHost: a\r\nB: c\r\n\r\n12345and all the rest\r\n"
    for parts in cuts(data):
        chat = Http()
        chat.set_terminator(b"\r\n")
        chat.feed(*parts)
        assert chat.pieces == [b"GET /", b"Host: a\r\nB: c", b"12345"], parts
        assert chat._get_data() == b"and all the rest\r\n"


def test_a_terminator_set_from_outside_between_reads():
    chat = Chat()
    chat.set_terminator(b"\n")
    chat.feed(b"one\ntw")
    chat.set_terminator(b"|")
    chat.feed(b"o|three")
    assert chat.pieces == [b"one", b"two"]
    chat.terminator = b"\n"
    chat.feed(b"\n")
    assert chat.pieces == [b"one", b"two", b"three"]


def test_text_as_terminator_with_use_encoding():
    chat = Chat()
    chat.use_encoding, chat.encoding = 1, "utf-8"
    chat.set_terminator("é")
    assert chat.get_terminator() == "é".encode()
    chat.feed(b"caf", "é!".encode())
    assert chat.pieces == [b"caf"]


def test_text_as_terminator_without_encoding_is_kept_as_it_is():
    chat = Chat()
    chat.set_terminator("\n")
    assert chat.get_terminator() == "\n"


def test_get_data_empties_what_was_collected():
    chat = Chat()
    for data in (b"a", b"bc"):
        chat._collect_incoming_data(data)
    assert chat.incoming == [b"a", b"bc"]
    kept = chat.incoming
    assert (chat._get_data(), chat.incoming, kept) == (b"abc", [], [])


def test_data_without_end_is_kept_in_pieces():
    chat = Chat()
    chat.set_terminator(b"\r\n")
    chat.feed(*[b"x" * 1000] * 50)
    assert b"".join(chat.collected) == b"x" * 50_000
    assert chat.pieces == []


def test_blocking_reads_are_nothing():
    chat = Chat()
    chat.set_terminator(b"\n")

    def recv(size):
        raise BlockingIOError

    chat.recv = recv
    chat.handle_read()
    assert (chat.collected, chat.pieces) == ([], [])


def test_other_errors_of_reads_go_to_handle_error():
    chat = Chat()
    chat.set_terminator(b"\n")
    seen = []

    def recv(size):
        raise OSError(errno.EIO, "")

    chat.recv = recv
    chat.handle_error = lambda: seen.append(asyncore.compact_traceback()[1])
    chat.handle_read()
    assert seen == [OSError]


def test_a_chat_is_always_readable():
    chat = Chat()
    assert chat.readable()
    chat.connected = False
    assert chat.readable()


def test_lines_over_a_connection(use_poll, channels, closing):
    near, far = pair()
    chat = Chat(near, channels)
    chat.set_terminator(b"\r\n")
    far.sendall(b"one\r\ntwo\r")
    run_until(lambda: chat.pieces, channels, use_poll)
    far.sendall(b"\nthree")
    run_until(lambda: len(chat.pieces) == 2, channels, use_poll)
    far.sendall(b"\r\n")
    far.close()
    run_until_empty(channels, use_poll)
    assert chat.pieces == [b"one", b"two", b"three"]


@pytest.mark.parametrize(
    "haystack, needle, length",
    [
        (b"qwerty\r", b"\r\n", 1),
        (b"qwertydkjf", b"\r\n", 0),
        (b"qwerty\r\n", b"\r\n", 0),
        (b"abc\r\n\r", b"\r\n\r\n", 3),
        (b"", b"\r\n", 0),
        (b"\r", b"\r", 0),
        (b"aaa", b"aaaa", 3),
        (b"aaaa", b"aaa", 2),
        ("text\r", "\r\n", 1),
    ],
)
def test_find_prefix_at_end(haystack, needle, length):
    assert asynchat.find_prefix_at_end(haystack, needle) == length
