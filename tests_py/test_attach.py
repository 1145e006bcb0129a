"""An asyncio loop, or uvloop's, serves the channels of a map: beside coroutines, in one thread."""

import asynchat
import asyncio
import asyncore
import contextlib
import os
import signal
import socket
import sys
import tempfile
import threading
import time

import pytest
from support import LIMIT, Recorder, full, pair, run_python

pytestmark = pytest.mark.ours_only("3.11 has no attach()")

FOREVER = 10 * LIMIT
MEGABYTE = 1 << 20


@pytest.fixture
def goasyncore():
    import goasyncore

    return goasyncore


def new_loop(kind):
    if kind == "asyncio":
        return asyncio.new_event_loop()
    return pytest.importorskip("uvloop").new_event_loop()


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    """run(coroutine): in a new loop, which has logged no error at the end."""
    loop = new_loop(request.param)
    loop.failures = []
    loop.set_exception_handler(lambda loop, context: loop.failures.append(context))

    def run(main):
        try:
            return loop.run_until_complete(asyncio.wait_for(main, LIMIT))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())

    run.loop = loop
    yield run
    loop.close()


@pytest.fixture
def attached(goasyncore, channels):
    """A map, detached and closed at the end."""
    yield channels
    goasyncore.detach(channels)


class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        self.send(self.recv(65536))

    def handle_close(self):
        self.close()


class Lines(asynchat.async_chat):
    def __init__(self, sock, channels):
        asynchat.async_chat.__init__(self, sock, channels)
        self.set_terminator(b"\n")

    def collect_incoming_data(self, data):
        self._collect_incoming_data(data)

    def found_terminator(self):
        line = self._get_data()
        self.push(line.upper() + b"\n")
        if line == b"quit":
            self.close_when_done()


class Server(asyncore.dispatcher):
    def __init__(self, kind, channels):
        asyncore.dispatcher.__init__(self, None, channels)
        self.kind, self.served = kind, []
        self.create_socket()
        self.set_reuse_addr()
        self.bind(("127.0.0.1", 0))
        self.listen(100)
        self.address = self.socket.getsockname()

    def handle_accepted(self, sock, addr):
        self.served.append(self.kind(sock, self._map))


async def until(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "what was waited for has not happened"
        await asyncio.sleep(0.005)


def test_channels_and_coroutines_talk_to_each_other(goasyncore, attached, run):
    async def client(address, data):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(data)
        assert await reader.readexactly(len(data)) == data
        writer.close()

    async def main():
        goasyncore.attach(attached)
        server = Server(Echo, attached)
        payloads = [os.urandom(30_000 * n) for n in range(1, 11)]
        await asyncio.gather(*(client(server.address, data) for data in payloads))
        await until(lambda: len(attached) == 1)  # each has seen its peer close

    run(main())
    assert run.loop.failures == []


def test_attaching_before_the_loop_runs(goasyncore, attached, run):
    goasyncore.attach(attached, run.loop)
    server = Server(Lines, attached)

    async def main():
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"one\nquit\n")
        assert await reader.read() == b"ONE\nQUIT\n"
        writer.close()

    run(main())


def test_what_a_coroutine_pushes_is_sent_to_the_end(goasyncore, attached, run):
    data = bytes(range(256)) * (8 * MEGABYTE // 256)

    async def main():
        goasyncore.attach(attached)
        server = Server(Lines, attached)
        reader, writer = await asyncio.open_connection(*server.address, limit=MEGABYTE)
        await until(lambda: server.served)
        await asyncio.sleep(0.02)  # the map is idle
        (chat,) = server.served
        chat.push(data)
        chat.close_when_done()
        assert await reader.read() == data
        writer.close()

    run(main())


def test_closing_when_done_with_nothing_to_send(goasyncore, attached, run):
    async def main():
        goasyncore.attach(attached)
        server = Server(Lines, attached)
        reader, writer = await asyncio.open_connection(*server.address)
        await until(lambda: server.served)
        await asyncio.sleep(0.02)
        server.served[0].close_when_done()
        assert await reader.read() == b""
        writer.close()

    run(main())


def test_what_a_coroutine_sends_is_sent_to_the_end(goasyncore, attached, run):
    data = os.urandom(8 * MEGABYTE)

    async def main():
        goasyncore.attach(attached)
        server = Server(Echo, attached)
        reader, writer = await asyncio.open_connection(*server.address, limit=MEGABYTE)
        await until(lambda: server.served)
        await asyncio.sleep(0.02)
        server.served[0].send(data)
        assert await reader.readexactly(len(data)) == data
        writer.close()

    run(main())


def test_a_number_that_a_coroutine_takes_over_is_the_coroutines(goasyncore, attached, run):
    """A channel is closed and its number is another connection's in the same breath."""

    async def main():
        goasyncore.attach(attached)
        server = Server(Echo, attached)
        for _ in range(5):
            near, far = socket.socketpair()
            channel = Echo(near, attached)
            number = channel._fileno
            await asyncio.sleep(0.01)  # it is waited for
            channel.close()
            client = socket.socket()
            assert client.fileno() == number
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, server.address)
            reader, writer = await asyncio.open_connection(sock=client)
            writer.write(b"mine")
            assert await reader.readexactly(4) == b"mine"
            writer.close()
            await writer.wait_closed()
            far.close()

    run(main())
    assert run.loop.failures == []


def passes(goasyncore, channels):
    return goasyncore.stats(channels).passes


def test_an_idle_map_makes_no_passes(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        Echo(near, attached)
        Lines(far.dup(), attached)
        await asyncio.sleep(0.05)
        before = passes(goasyncore, attached)
        await asyncio.sleep(0.5)
        assert passes(goasyncore, attached) == before

    run(main())


def test_a_channel_taken_out_by_hand_is_served_no_more(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        channel = Recorder(near, attached)
        await asyncio.sleep(0.02)
        attached.clear()
        goasyncore.wake(attached)
        await asyncio.sleep(0.02)
        far.send(b"x")
        await asyncio.sleep(0.05)
        assert channel.events == []
        before = passes(goasyncore, attached)
        await asyncio.sleep(0.2)
        assert passes(goasyncore, attached) - before <= 1
        attached[near.fileno()] = channel
        goasyncore.wake(attached)
        await until(lambda: channel.events)

    run(main())


def test_own_predicates_are_asked_after_wake(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        channel = Recorder(near, attached, wants="")
        await asyncio.sleep(0.02)
        far.send(b"x")
        await asyncio.sleep(0.05)
        assert channel.events == []
        channel.seen.append(("", "sign"))  # in place
        channel.wants = "r"
        goasyncore.wake(attached)
        await until(lambda: "read" in channel.events)

    run(main())


def test_changes_of_another_thread_are_served(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        await asyncio.sleep(0.02)
        added = []
        thread = threading.Thread(target=lambda: added.append(Echo(near, attached)))
        thread.start()
        far.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(far, b"hello")
        assert await loop.sock_recv(far, 100) == b"hello"
        thread.join()

    run(main())


def test_calls_put_off_are_made(goasyncore, attached, run):
    async def main():
        goasyncore.attach(attached)
        called = []
        goasyncore.call_later(0.03, called.append, "later", map=attached)
        goasyncore.call_soon_threadsafe(called.append, "soon", map=attached)
        goasyncore.call_later(FOREVER, called.append, "never", map=attached)
        cancelled = goasyncore.call_later(0.01, called.append, "cancelled", map=attached)
        cancelled.cancel()
        await until(lambda: "later" in called)
        assert called == ["soon", "later"]
        thread = threading.Thread(
            target=goasyncore.call_later,
            args=(0.01, called.append, "thread"),
            kwargs={"map": attached},
        )
        thread.start()
        await until(lambda: "thread" in called)
        thread.join()

    run(main())


@pytest.mark.skipif(os.name != "posix", reason="files are channels on POSIX alone")
def test_a_regular_file_is_always_ready(goasyncore, attached, run):
    class Reader(asyncore.file_dispatcher):
        def __init__(self, file, channels):
            self.parts = []
            asyncore.file_dispatcher.__init__(self, file, channels)

        def writable(self):
            return False

        def handle_read(self):
            part = self.recv(1000)
            if part:
                self.parts.append(part)

        def handle_close(self):
            self.close()

    async def main():
        goasyncore.attach(attached)
        data = os.urandom(100_000)
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.flush()
            file.seek(0)
            reader = Reader(file, attached)
            others = 0
            while attached:
                await asyncio.sleep(0)  # coroutines get their turn between the passes
                others += 1
            assert b"".join(reader.parts) == data
            assert others > 50

    run(main())


def test_a_hang_up_that_means_nothing_does_not_spin(goasyncore, attached, run, closing):
    """select has no word for a hang-up to a channel that waits for room alone."""
    near, far = closing(*pair())
    full(near)

    async def main():
        goasyncore.attach(attached)
        Recorder(near, attached, wants="w")
        await asyncio.sleep(0.02)
        far.shutdown(socket.SHUT_WR)
        before = passes(goasyncore, attached)
        await asyncio.sleep(0.3)
        assert passes(goasyncore, attached) - before < 20

    run(main())


def test_exit_now_ends_the_service_alone(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        channel = Recorder(near, attached)
        seen = []

        def leave():
            seen.append(channel.recv(1))
            raise asyncore.ExitNow

        channel.handle_read = leave
        far.send(b"ab")
        await until(lambda: seen)
        await asyncio.sleep(0.05)
        assert seen == [b"a"]
        goasyncore.attach(attached)
        await until(lambda: len(seen) == 2)

    run(main())
    assert run.loop.failures == []


class Broken(Exception):
    pass


@pytest.mark.parametrize("where", ["readable", "handle_error"])
def test_what_would_leave_the_loop_goes_to_asyncio(goasyncore, attached, run, closing, where):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        channel = Recorder(near, attached)

        def fail():
            raise Broken

        channel.handle_read = fail
        setattr(channel, where, fail)
        far.send(b"x")
        await until(lambda: run.loop.failures)
        await asyncio.sleep(0.05)

    run(main())
    (failure,) = run.loop.failures
    assert isinstance(failure["exception"], Broken)


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit])
def test_what_leaves_every_loop_leaves_asyncio(goasyncore, attached, closing, leaving):
    near, far = closing(*pair())
    loop = asyncio.new_event_loop()
    channel = Recorder(near, attached)

    def leave():
        raise leaving

    channel.handle_read = leave
    far.send(b"x")
    goasyncore.attach(attached, loop)
    with pytest.raises(leaving):
        loop.run_until_complete(asyncio.sleep(LIMIT))
    for task in asyncio.all_tasks(loop):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
    loop.close()


def test_errors_of_handlers_go_to_handle_error(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        channel = Recorder(near, attached)
        caught = []

        def fail():
            raise Broken

        def handle_error():
            caught.append(sys.exc_info()[0])
            channel.close()

        channel.handle_read, channel.handle_error = fail, handle_error
        far.send(b"x")
        await until(lambda: caught)
        assert caught == [Broken]

    run(main())
    assert run.loop.failures == []


def test_detach_leaves_the_channels_open(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        channel = Recorder(near, attached)
        await asyncio.sleep(0.02)
        goasyncore.detach(attached)
        goasyncore.detach(attached)
        far.send(b"x")
        await asyncio.sleep(0.05)
        assert channel.events == []
        asyncore.loop(LIMIT, map=attached, count=1)
        assert channel.events == ["read"]
        goasyncore.attach(attached)
        await until(lambda: len(channel.events) > 1)

    run(main())


def test_a_handler_may_detach(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        channel = Recorder(near, attached)
        channel.handle_read = lambda: (channel.note("read"), goasyncore.detach(attached))
        far.send(b"x")
        await until(lambda: channel.events)
        await asyncio.sleep(0.05)
        assert channel.events == ["read"]

    run(main())


def test_an_ordinary_loop_between_the_passes(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        Echo(near, attached)
        await asyncio.sleep(0.02)
        far.send(b"one")
        asyncore.loop(LIMIT, map=attached, count=1)
        assert far.recv(10) == b"one"
        data = b"z" * (4 * MEGABYTE)
        attached[near.fileno()].send(data)  # what is left is sent by the attached passes
        far.setblocking(False)
        loop, got = asyncio.get_running_loop(), 0
        while got < len(data):
            got += len(await loop.sock_recv(far, MEGABYTE))

    run(main())


def test_attaching_again_changes_nothing(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        goasyncore.attach(attached)
        Echo(near, attached)
        far.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(far, b"x")
        assert await loop.sock_recv(far, 10) == b"x"

    run(main())


def test_a_map_belongs_to_one_asyncio_loop(goasyncore, attached, run):
    other = asyncio.new_event_loop()
    goasyncore.attach(attached, other)
    with pytest.raises(RuntimeError, match="another asyncio loop"):
        goasyncore.attach(attached, run.loop)
    other.close()
    with pytest.raises(RuntimeError, match="closed"):
        goasyncore.attach(attached, other)
    goasyncore.attach(attached, run.loop)  # the other one is no more


def test_without_a_running_loop_there_is_no_default(goasyncore, channels):
    with pytest.raises(RuntimeError, match="no running event loop"):
        goasyncore.attach(channels)


def test_the_default_map_is_socket_map(goasyncore, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach()
        try:
            channel = Echo(near)
            far.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(far, b"x")
            assert await loop.sock_recv(far, 10) == b"x"
            channel.close()
        finally:
            goasyncore.detach()

    run(main())


def test_one_loop_may_serve_many_maps(goasyncore, run):
    maps = [{} for _ in range(5)]
    far_ends = []

    async def main():
        loop = asyncio.get_running_loop()
        for channels in maps:
            near, far = pair()
            Echo(near, channels)
            far.setblocking(False)
            far_ends.append(far)
            goasyncore.attach(channels)
        for far in far_ends:
            await loop.sock_sendall(far, b"x")
            assert await loop.sock_recv(far, 10) == b"x"

    run(main())
    for channels, far in zip(maps, far_ends, strict=True):
        goasyncore.detach(channels)
        asyncore.close_all(channels)
        far.close()


def test_a_closed_number_in_the_map_ends_the_service(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        channel = Recorder(near, attached)
        await asyncio.sleep(0.02)
        os.close(near.detach())
        goasyncore.wake(attached)
        await until(lambda: run.loop.failures)
        attached.clear()
        channel.socket = None

    run(main())
    (failure,) = run.loop.failures
    assert isinstance(failure["exception"], OSError)


def test_a_signal_is_asyncios(goasyncore, attached, closing):
    near, far = closing(*pair())
    loop = asyncio.new_event_loop()

    async def main():
        goasyncore.attach(attached)
        Echo(near, attached)
        got = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, got.set)
        await asyncio.sleep(0.02)
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.wait_for(got.wait(), LIMIT)
        loop.remove_signal_handler(signal.SIGUSR1)

    loop.run_until_complete(main())
    loop.close()


def test_a_process_that_attaches_nothing_imports_no_asyncio():
    run_python(
        """
        import asyncore, goasyncore, socket, sys
        near, far = socket.socketpair()
        asyncore.dispatcher(near)
        asyncore.loop(0, count=1)
        goasyncore.detach()
        goasyncore.call_later(1, print).cancel()
        assert "asyncio" not in sys.modules
        """
    )
