"""An asyncio loop, or uvloop's, serves the channels of a map: beside coroutines, in one thread."""

import asyncio
import asyncore
import itertools
import os
import socket
import tempfile
import threading

import pytest
from attaching import Echo, Lines, Server, in_a_thread, passes, until
from support import LIMIT, Recorder, at_number, full, pair

pytestmark = pytest.mark.ours_only("3.11 has no attach()")

FOREVER = 10 * LIMIT
MEGABYTE = 1 << 20


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
            client = at_number(number, socket.socket())
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


def test_a_number_that_another_channel_takes_over_is_served(goasyncore, attached, run):
    """Its socket was closed behind the first channel, which never left the map."""

    async def main():
        goasyncore.attach(attached)
        near, far = pair()
        first = Recorder(near, attached)
        number = near.fileno()
        await asyncio.sleep(0.02)  # it is waited for
        near.close()
        second_near, second_far = pair()
        second_near = at_number(number, second_near)
        second = Echo(second_near, attached)
        second_far.setblocking(False)
        await asyncio.sleep(0.02)  # so is this one
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(second_far, b"x")
        assert await loop.sock_recv(second_far, 10) == b"x"
        assert first.events == []
        second.close()
        far.close()
        second_far.close()

    run(main())
    assert run.loop.failures == []


def test_an_idle_map_makes_no_passes(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        Echo(near, attached)
        Lines(far.dup(), attached)
        counted = []
        for _ in range(4):  # garbage of other tests can bring one
            await asyncio.sleep(0.25)
            counted.append(passes(goasyncore, attached))
        assert any(one == next for one, next in itertools.pairwise(counted))

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


def test_changes_of_another_thread_are_served_after_wake(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        await asyncio.sleep(0.02)
        before = passes(goasyncore, attached)
        made = in_a_thread(Echo, near, attached)
        in_a_thread(made.send, b"x" * (4 * MEGABYTE))
        in_a_thread(lambda: goasyncore.call_later(FOREVER, int, map=attached).cancel())
        await asyncio.sleep(0.05)
        assert passes(goasyncore, attached) == before
        in_a_thread(goasyncore.wake, attached)
        far.setblocking(False)
        loop = asyncio.get_running_loop()
        left = 4 * MEGABYTE
        while left:
            left -= len(await loop.sock_recv(far, MEGABYTE))
        await loop.sock_sendall(far, b"hello")
        assert await loop.sock_recv(far, 100) == b"hello"

    run(main())


def test_a_pass_comes_when_control_is_back_in_the_loop(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    class Eager(Echo):
        eager = False

        def writable(self):
            return self.eager

    def add():
        return Echo(near, attached)

    def fill(channel):
        channel.out_buffer = b"x"

    def change_class(channel):
        channel.__class__ = Eager

    def be_eager(channel):
        channel.eager = True

    def close(channel):
        channel.close()

    async def main():
        goasyncore.attach(attached)
        Lines(far, attached)
        await asyncio.sleep(0.02)
        before = passes(goasyncore, attached)
        channel = add()
        for change in (fill, change_class, be_eager, close):
            assert passes(goasyncore, attached) == before
            if not native:  # there, a change that no method of ours makes is told of by wake()
                goasyncore.wake(attached)
            for _ in range(3):
                await asyncio.sleep(0)
            assert passes(goasyncore, attached) > before
            await asyncio.sleep(0.02)
            before = passes(goasyncore, attached)
            change(channel)
        await until(lambda: passes(goasyncore, attached) > before)

    native = goasyncore.backend().name == "native"
    run(main())


def test_a_call_due_later_brings_no_pass_before(goasyncore, attached, run, closing):
    near, far = closing(*pair())

    async def main():
        goasyncore.attach(attached)
        Echo(near, attached)
        await asyncio.sleep(0.02)
        before = passes(goasyncore, attached)
        called = []
        in_a_thread(lambda: goasyncore.call_later(FOREVER, int, map=attached))
        await asyncio.sleep(0.03)
        assert passes(goasyncore, attached) == before
        in_a_thread(lambda: goasyncore.call_later(0.03, called.append, 1, map=attached))
        await until(lambda: called)

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
