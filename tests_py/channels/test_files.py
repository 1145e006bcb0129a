"""file_wrapper and file_dispatcher."""

import asyncore
import gc
import os
import socket
import warnings

import pytest
from support import one_pass, run_until_empty


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            pass


def test_the_wrapper_owns_a_duplicate(pipe, closing):
    wrapper = closing(asyncore.file_wrapper(pipe[0]))
    assert wrapper.fileno() not in pipe
    os.close(pipe[0])
    os.write(pipe[1], b"data")
    assert wrapper.recv(100) == b"data"


def test_the_wrapper_reads_and_writes_under_both_names(pipe, closing):
    reader, writer = closing(asyncore.file_wrapper(pipe[0]), asyncore.file_wrapper(pipe[1]))
    assert writer.send(b"one") == 3
    assert writer.write(b"two") == 3
    assert reader.read(3) == b"one"
    assert reader.recv(100) == b"two"


def test_closing_the_wrapper_twice_is_fine(pipe):
    wrapper = asyncore.file_wrapper(pipe[0])
    fd = wrapper.fileno()
    wrapper.close()
    with pytest.raises(OSError):
        os.fstat(fd)
    assert wrapper.fileno() == -1
    wrapper.close()
    os.fstat(pipe[0])


def test_a_descriptor_that_does_not_exist():
    with warnings.catch_warnings(record=True):
        with pytest.raises(OSError):
            asyncore.file_wrapper(-1)


def test_the_wrapper_answers_for_so_error_only(pipe, closing):
    wrapper = closing(asyncore.file_wrapper(pipe[0]))
    assert wrapper.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert wrapper.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR, None) == 0
    assert wrapper.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR, 0) == 0
    for arguments in [
        (socket.SOL_SOCKET, socket.SO_ERROR, 4),
        (socket.SOL_SOCKET, socket.SO_REUSEADDR),
        (socket.IPPROTO_TCP, socket.SO_ERROR),
    ]:
        with pytest.raises(NotImplementedError):
            wrapper.getsockopt(*arguments)


def test_an_unclosed_wrapper_warns_when_collected(pipe):
    wrapper = asyncore.file_wrapper(pipe[0])
    fd = wrapper.fileno()
    with pytest.warns(ResourceWarning, match="unclosed file"):
        del wrapper
        gc.collect()
    with pytest.raises(OSError):
        os.fstat(fd)


def test_a_closed_wrapper_does_not_warn(pipe):
    wrapper = asyncore.file_wrapper(pipe[0])
    wrapper.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del wrapper
        gc.collect()


def test_file_dispatcher_takes_a_number(pipe, channels):
    channel = asyncore.file_dispatcher(pipe[0], channels)
    assert isinstance(channel.socket, asyncore.file_wrapper)
    assert channel._fileno == channel.socket.fileno() != pipe[0]
    assert channels == {channel._fileno: channel}
    assert channel.connected is True
    assert channel.addr is None
    assert os.get_blocking(pipe[0]) is False
    assert os.get_blocking(channel._fileno) is False


def test_file_dispatcher_takes_anything_with_fileno(pipe, channels):
    class Thing:
        def fileno(self):
            return pipe[0]

    with open(pipe[1], "wb", closefd=False) as file:
        for thing in (Thing(), file):
            asyncore.file_dispatcher(thing, channels)
    assert len(channels) == 2


def test_file_dispatcher_uses_the_global_map(pipe):
    channel = asyncore.file_dispatcher(pipe[0])
    assert asyncore.socket_map == {channel._fileno: channel}
    channel.close()
    assert asyncore.socket_map == {}


def test_file_dispatcher_with_a_wrong_descriptor(channels):
    with warnings.catch_warnings(record=True):
        with pytest.raises(OSError):
            asyncore.file_dispatcher(-1, channels)
        with pytest.raises(TypeError):
            asyncore.file_dispatcher("name", channels)
        gc.collect()
    assert channels == {}


def test_set_file_registers(pipe, channels):
    channel = asyncore.file_dispatcher(pipe[0], channels)
    first = channel.socket
    channel.set_file(pipe[1])
    assert set(channels) == {first.fileno(), channel.socket.fileno()}
    first.close()
    del channels[next(fd for fd in channels if fd != channel._fileno)]


class Source(asyncore.file_dispatcher):
    def __init__(self, fd, channels, target):
        self.target = target
        asyncore.file_dispatcher.__init__(self, fd, channels)

    def writable(self):
        return False

    def handle_read(self):
        data = self.recv(8192)
        if data:
            self.target.append(data)

    def handle_close(self):
        self.close()


def test_a_pipe_read_to_its_end(use_poll, channels, pipe):
    target = []
    Source(pipe[0], channels, target)
    os.write(pipe[1], b"some ")
    one_pass(use_poll, channels)
    os.write(pipe[1], b"data")
    os.close(pipe[1])
    run_until_empty(channels, use_poll)
    assert b"".join(target) == b"some data"


def test_a_file_copied(use_poll, channels, tmp_path):
    data = os.urandom(100_000)
    (tmp_path / "from").write_bytes(data)

    class Target(asyncore.file_dispatcher):
        pending = b""

        def readable(self):
            return False

        def writable(self):
            return bool(self.pending) or len(channels) == 1

        def append(self, data):
            self.pending += data

        def handle_write(self):
            if self.pending:
                self.pending = self.pending[self.send(self.pending) :]
            else:
                self.close()

    with open(tmp_path / "from", "rb") as source, open(tmp_path / "to", "wb") as file:
        Source(source, channels, Target(file, channels))
    run_until_empty(channels, use_poll)
    assert (tmp_path / "to").read_bytes() == data


def test_writing_to_a_pipe_without_a_reader_closes(use_poll, channels, pipe):
    class Writer(asyncore.file_dispatcher):
        def readable(self):
            return False

        def handle_write(self):
            assert self.send(b"x") == 0

        def handle_close(self):
            self.close()

    os.close(pipe[0])
    Writer(pipe[1], channels)
    one_pass(use_poll, channels)
    assert channels == {}


def test_an_empty_pipe_is_not_ready(use_poll, channels, pipe):
    target = []
    channel = Source(pipe[0], channels, target)
    one_pass(use_poll, channels)
    with pytest.raises(BlockingIOError):
        channel.recv(10)
    assert target == []
