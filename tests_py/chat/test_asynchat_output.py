"""async_chat: what is pushed, how it is cut, when it goes."""

import asynchat
import asyncore

import pytest


class Chat(asynchat.async_chat):
    """Its send() takes at most `room` bytes a call, and keeps what it took."""

    def __init__(self, room=1_000_000, connected=True):
        asynchat.async_chat.__init__(self, map={})
        self.connected, self.room, self.sent, self.closed = connected, room, [], 0

    def send(self, data):
        part = bytes(data[: self.room])
        self.sent.append(part)
        return len(part)

    def handle_close(self):
        self.closed += 1
        self.close()

    @property
    def fifo(self):
        return [item if item is None else bytes(item) for item in self.producer_fifo]


class More:
    def __init__(self, *parts):
        self.parts = list(parts)

    def more(self):
        return self.parts.pop(0) if self.parts else b""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_push_sends_at_once(kind):
    chat = Chat()
    assert chat.push(kind(b"data")) is None
    assert (chat.sent, chat.fifo) == ([b"data"], [])


@pytest.mark.parametrize("data", ["text", 5, None, [b"list"], More()], ids=repr)
def test_push_takes_nothing_but_bytes(data):
    chat = Chat()
    with pytest.raises(TypeError):
        chat.push(data)
    assert chat.fifo == []


def test_push_keeps_what_the_socket_does_not_take():
    chat = Chat(room=3)
    chat.push(b"abcdefgh")
    assert (chat.sent, chat.fifo) == ([b"abc"], [b"defgh"])
    chat.handle_write()
    assert (chat.sent, chat.fifo) == ([b"abc", b"def"], [b"gh"])
    chat.push(b"ij")
    assert (b"".join(chat.sent), chat.fifo) == (b"abcdefgh", [b"ij"])
    chat.initiate_send()
    assert (b"".join(chat.sent), chat.fifo) == (b"abcdefghij", [])


def test_push_is_cut_at_the_buffer_size():
    chat = Chat(room=0)
    chat.ac_out_buffer_size = 4
    for data in (b"abcd", b"abcde", b"abcdefghij"):
        chat.producer_fifo.clear()
        chat.push(data)
        assert chat.fifo == [data[i : i + 4] for i in range(0, len(data), 4)]


def test_one_block_goes_with_each_send():
    chat = Chat()
    chat.ac_out_buffer_size = 4
    chat.push(b"abcdefghij")
    assert (chat.sent, chat.fifo) == ([b"abcd"], [b"efgh", b"ij"])
    chat.initiate_send()
    chat.initiate_send()
    assert (chat.sent, chat.fifo) == ([b"abcd", b"efgh", b"ij"], [])


def test_a_block_put_in_by_hand_is_cut_while_sending():
    chat = Chat()
    chat.ac_out_buffer_size = 4
    chat.producer_fifo.append(b"abcdef")
    chat.initiate_send()
    assert (chat.sent, chat.fifo) == ([b"abcd"], [b"ef"])


def test_nothing_goes_before_the_connection_is_made():
    chat = Chat(connected=False)
    chat.push(b"early")
    assert (chat.sent, chat.fifo) == ([], [b"early"])
    chat.connected = True
    chat.handle_write()
    assert (chat.sent, chat.fifo) == ([b"early"], [])


def test_a_send_that_takes_nothing_leaves_everything():
    chat = Chat(room=0)
    chat.push(b"data")
    chat.push(b"more")
    assert chat.fifo == [b"data", b"more"]


def test_empty_pushes_leave_nothing():
    chat = Chat()
    chat.push(b"")
    chat.push(b"x")
    assert (b"".join(chat.sent), chat.fifo) == (b"x", [])


@pytest.mark.parametrize("connected", [False, True])
def test_writable_while_something_is_unsent_or_unconnected(connected):
    chat = Chat(room=0, connected=connected)
    assert bool(chat.writable()) is not connected
    chat.push(b"x")
    assert chat.writable()
    chat.producer_fifo.clear()
    assert bool(chat.writable()) is not connected


def test_a_producer_is_asked_until_it_is_empty():
    chat = Chat()
    chat.push_with_producer(More(b"one", b"two", b"three"))
    chat.push(b"last")
    while chat.writable():
        chat.handle_write()
    assert chat.sent == [b"one", b"two", b"three", b"last"]


def test_a_producer_is_asked_only_when_there_is_room():
    chat = Chat(room=0)
    producer = More(b"one", b"two")
    chat.push_with_producer(producer)
    for _ in range(5):
        chat.handle_write()
    assert producer.parts == [b"two"]


def test_what_a_producer_gives_is_cut_like_the_rest():
    chat = Chat()
    chat.ac_out_buffer_size = 2
    chat.push_with_producer(More(b"abcde"))
    while chat.writable():
        chat.handle_write()
    assert chat.sent == [b"ab", b"cd", b"e"]


def test_a_simple_producer():
    producer = asynchat.simple_producer(b"0123456789", buffer_size=4)
    assert [producer.more() for _ in range(4)] == [b"0123", b"4567", b"89", b""]
    assert asynchat.simple_producer(b"x" * 600).more() == b"x" * 512
    chat = Chat()
    chat.push_with_producer(asynchat.simple_producer(b"0123456789", 4))
    while chat.writable():
        chat.handle_write()
    assert chat.sent == [b"0123", b"4567", b"89"]


def test_a_producer_that_fails_raises_out_of_initiate_send():
    class Broken:
        def more(self):
            raise LookupError

    with pytest.raises(LookupError):
        Chat().push_with_producer(Broken())


def test_text_of_a_producer_is_encoded_with_use_encoding():
    chat = Chat()
    chat.use_encoding, chat.encoding = 1, "utf-8"
    chat.push_with_producer(More("caf\xe9"))
    assert chat.sent == ["caf\xe9".encode()]


def test_close_when_done_closes_after_the_last_byte():
    chat = Chat(room=2)
    chat.push(b"abcd")
    chat.close_when_done()
    assert (chat.closed, chat.fifo[-1]) == (0, None)
    while chat.writable() and not chat.closed:
        chat.handle_write()
    assert (b"".join(chat.sent), chat.closed) == (b"abcd", 1)


def test_close_when_done_waits_for_the_next_writing():
    chat = Chat()
    chat.close_when_done()
    assert chat.closed == 0
    assert chat.writable()
    chat.handle_write()
    assert (chat.closed, len(chat.producer_fifo)) == (1, 0)


def test_nothing_goes_after_the_close():
    chat = Chat(room=0)
    chat.push(b"before")
    chat.close_when_done()
    chat.push(b"after")
    chat.room = 100
    for _ in range(5):
        chat.handle_write()
    assert (b"".join(chat.sent), chat.closed) == (b"before", 1)


def test_discard_buffers_forgets_both_directions():
    chat = Chat(room=0)
    chat.push(b"out")
    chat.close_when_done()
    chat.ac_in_buffer = b"in"
    chat.incoming.append(b"in")
    kept = chat.producer_fifo
    chat.discard_buffers()
    assert (chat.ac_in_buffer, chat.incoming, list(chat.producer_fifo)) == (b"", [], [])
    assert chat.producer_fifo is kept


def test_errors_of_send_go_to_handle_error():
    class Failing(Chat):
        def send(self, data):
            raise OSError(5, "")

        def handle_error(self):
            self.error = asyncore.compact_traceback()[1]

    chat = Failing()
    chat.push(b"data")
    assert (chat.error, chat.fifo) == (OSError, [b"data"])


def test_other_exceptions_of_send_pass():
    class Failing(Chat):
        def send(self, data):
            raise LookupError

    with pytest.raises(LookupError):
        Failing().push(b"data")


def test_an_own_initiate_send_is_used():
    class Own(Chat):
        calls = 0

        def initiate_send(self):
            self.calls += 1

    chat = Own()
    chat.push(b"x")
    chat.push_with_producer(More(b"y"))
    chat.handle_write()
    assert (chat.calls, chat.sent) == (3, [])
    chat.close_when_done()
    assert chat.calls == 3
