"""async_chat on real connections, in the loop."""

import asynchat

import pytest
from support import Sink, full, one_pass, pair, receive_exactly, run_until, run_until_empty


def test_the_default_handle_close_closes(channels, closing):
    near, far = closing(*pair())
    chat = asynchat.async_chat(near, channels)
    chat.handle_close()
    assert (channels, near.fileno()) == ({}, -1)


def test_push_has_sent_before_it_returns(channels, closing):
    near, far = closing(*pair())
    chat = asynchat.async_chat(near, channels)
    chat.push(b"now")
    assert far.recv(10) == b"now"


def test_the_fifo_filled_from_outside_is_sent(use_poll, channels, closing):
    near, far = closing(*pair())
    chat = asynchat.async_chat(near, channels)
    one_pass(use_poll, channels)
    chat.producer_fifo.append(b"by hand")
    one_pass(use_poll, channels)
    assert far.recv(10) == b"by hand"
    chat.producer_fifo = type(chat.producer_fifo)([b"replaced"])
    one_pass(use_poll, channels)
    assert far.recv(10) == b"replaced"
    chat.producer_fifo = [b"a list"]
    with pytest.raises(BlockingIOError):
        far.setblocking(False)
        far.recv(10)
    one_pass(use_poll, channels)
    assert far.recv(10) == b"a list"


def test_an_idle_chat_does_not_wait_for_writing(use_poll, channels, closing):
    near, far = closing(*pair())
    chat = asynchat.async_chat(near, channels)
    written = []
    chat.handle_write = lambda: written.append(True)
    one_pass(use_poll, channels)
    assert written == []
    full(near)
    chat.push(b"x")
    one_pass(use_poll, channels)
    assert written == []


def test_much_data_and_the_close_after_it(use_poll, channels, closing):
    near, far = closing(*pair())
    far.setblocking(False)
    chat = asynchat.async_chat(near, channels)
    data = bytes(range(256)) * 4096
    chat.push(data)
    chat.push_with_producer(asynchat.simple_producer(data, 1000))
    chat.close_when_done()
    sink = Sink(far, channels)
    run_until_empty(channels, use_poll)
    assert sink.received == data * 2


def test_answers_pushed_in_found_terminator(use_poll, channels, closing):
    near, far = closing(*pair())

    class Upper(asynchat.async_chat):
        def found_terminator(self):
            self.push(self._get_data().upper() + b"\n")

    Upper.collect_incoming_data = asynchat.async_chat._collect_incoming_data
    chat = Upper(near, channels)
    chat.set_terminator(b"\n")
    far.sendall(b"one\ntwo\n")
    answered = []
    far.setblocking(False)

    def all_answered():
        try:
            answered.append(far.recv(100))
        except BlockingIOError:
            pass
        return b"".join(answered) == b"ONE\nTWO\n"

    run_until(all_answered, channels, use_poll)
    far.setblocking(True)
    chat.push(b"bye")
    assert receive_exactly(far, 3) == b"bye"
