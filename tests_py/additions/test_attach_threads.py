"""Other threads change a map that an asyncio loop serves: what they do counts after a wake()."""

import asyncio
import asyncore
import random
import socket
import threading
import time

import pytest
from attaching import (
    A_MOMENT,
    CHANGES,
    Echo,
    Server,
    all_answer,
    answers,
    in_a_thread,
    make,
    passes,
    settled,
    until,
)
from support import LIMIT, Recorder, at_number, pair

pytestmark = pytest.mark.ours_only("3.11 has no attach()")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_another_thread_changes_counts_after_wake(
    goasyncore, attached, run, closing, kept, change
):
    near, far = closing(*pair())
    far.setblocking(False)

    async def main():
        goasyncore.attach(attached)
        channel = Echo(near, attached)
        assert await answers(far) and await answers(kept[1])
        before = await settled(goasyncore, attached)
        new = in_a_thread(change, attached, channel, closing)
        counted = passes(goasyncore, attached)  # anew, if all channels are others
        assert counted in (before, 0)
        await asyncio.sleep(A_MOMENT)
        assert passes(goasyncore, attached) == counted
        in_a_thread(goasyncore.wake, attached)
        await until(lambda: passes(goasyncore, attached) > counted)
        await all_answer(change, kept[1], far, new)

    run(main())
    assert run.loop.failures == []


def test_a_client_that_another_thread_makes_is_not_asked_before_it_is_made(
    goasyncore, attached, run, closing, kept
):
    """The HTTPClient of the documentation has its buffer set after connect()."""
    listener = socket.create_server(("127.0.0.1", 0))
    closing(listener)
    failures, told = [], []

    class Client(asyncore.dispatcher):
        def __init__(self):
            asyncore.dispatcher.__init__(self, None, attached)
            self.create_socket()
            self.connect(listener.getsockname())
            time.sleep(0.002)
            self.buffer = b"GET / HTTP/1.0\r\n\r\n"

        def handle_connect(self):
            told.append(self.socket.getpeername())

        def writable(self):
            try:
                return len(self.buffer) > 0
            except AttributeError:
                failures.append("writable")
                return False

        def handle_write(self):
            self.buffer = self.buffer[self.send(self.buffer) :]

        def handle_read(self):
            self.recv(8192)

        def handle_close(self):
            self.close()

    async def main():
        goasyncore.attach(attached)
        await settled(goasyncore, attached)
        clients = []
        for _ in range(10):
            thread = threading.Thread(target=lambda: clients.append(Client()))
            thread.start()
            while thread.is_alive():
                await asyncio.sleep(0.0005)
        assert failures == [] and told == []
        goasyncore.wake(attached)
        await until(lambda: not any(client.buffer for client in clients))
        assert len(told) == 10
        for client in clients:
            client.close()

    run(main())
    assert run.loop.failures == []


def test_what_another_thread_closes_is_told_nothing_and_its_number_can_be_anothers(
    goasyncore, attached, run, closing, kept
):
    """No wake() is needed for the coroutine that gets the number."""

    async def main():
        goasyncore.attach(attached)
        server = Server(Echo, attached)
        for _ in range(5):
            near, far = closing(*pair())
            channel = Recorder(near, attached)
            number = near.fileno()
            await settled(goasyncore, attached)
            in_a_thread(channel.close)
            await asyncio.sleep(0)  # portably the number is asyncio's until it has control
            client = closing(at_number(number, socket.socket()))
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, server.address)
            assert await answers(client, b"mine")
            assert channel.events == []
            assert await answers(kept[1])
            client.close()

    run(main())
    assert run.loop.failures == []


def test_a_channel_that_another_thread_closes_before_the_loop_waits_is_told_nothing(
    goasyncore, attached, run, closing, kept
):
    """libuv aborts the process if a descriptor is closed between its registration and the wait."""

    async def main():
        goasyncore.attach(attached)
        await settled(goasyncore, attached)
        loop = asyncio.get_running_loop()
        for _ in range(20):
            near, _far = closing(*pair())
            channel = Recorder(near, attached)  # portably, a pass comes before what follows
            closed = loop.create_future()
            loop.call_soon(lambda: closed.set_result(in_a_thread(channel.close)))  # noqa: B023
            await closed
            assert channel.events == []
            assert await answers(kept[1])

    run(main())
    assert run.loop.failures == []


def test_threads_that_do_what_they_like_break_nothing(goasyncore, attached, run, closing, kept):
    """Three of them make, connect, close, reconnect and send, each with a wake() after that."""
    ended = threading.Event()
    problems = []
    opened = []

    class Errors(Echo):
        out_buffer = b""  # a pass may come before __init__ has set it, as in 3.11

        def handle_read(self):
            try:
                data = self.recv(65536)
            except BlockingIOError:
                return  # what was ready belonged to a socket that a thread has replaced
            if data:
                self.send(data)

        def handle_error(self):
            # A thread has closed it under the handler, as it may in 3.11.
            if self.socket.fileno() >= 0:
                problems.append(asyncore.compact_traceback())
            self.close()

    def work(seed, address):
        rng = random.Random(seed)
        mine = []
        try:
            for _ in range(60):
                act = rng.choice(["make", "connect", "close", "reconnect", "send"])
                if act == "make" or not mine:
                    near, far = socket.socketpair()
                    opened.append(far)
                    mine.append(Errors(near, attached))
                elif act == "connect":
                    # In the map it would be told of a hang-up, if a pass came before the connect().
                    mine.append(Errors(socket.create_connection(address, LIMIT), attached))
                elif act == "close":
                    mine.pop(rng.randrange(len(mine))).close()
                elif act == "reconnect":
                    near, far = socket.socketpair()
                    opened.append(far)
                    rng.choice(mine).close()
                    mine.append(Errors(near, attached))
                else:
                    channel = rng.choice(mine)
                    channel.out_buffer = channel.out_buffer + b"x"
                goasyncore.wake(attached)
            for channel in mine:
                channel.close()
            goasyncore.wake(attached)
        except BaseException as why:
            problems.append(why)

    async def main():
        goasyncore.attach(attached)
        server = Server(Errors, attached)
        workers = [
            threading.Thread(target=work, args=(seed, server.address), daemon=True)
            for seed in range(3)
        ]
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            assert await answers(kept[1])
        ended.set()
        for far in opened:
            far.close()
        await until(lambda: len(attached) == 2)
        assert await answers(kept[1])

    run(main())
    assert problems == []
    assert run.loop.failures == []


def test_two_maps_changed_by_two_threads(goasyncore, run, closing):
    maps = [{}, {}]
    far_ends = []
    for channels in maps:
        near, far = closing(*pair())
        far.setblocking(False)
        Echo(near, channels)
        far_ends.append(far)

    async def main():
        for channels in maps:
            goasyncore.attach(channels)
        before = [await settled(goasyncore, channels) for channels in maps]
        for this, other in ((0, 1), (1, 0)):
            new = in_a_thread(make, maps[this], None, closing)
            in_a_thread(goasyncore.wake, maps[this])
            assert await answers(new)
            assert passes(goasyncore, maps[other]) == before[other]
            before[this] = await settled(goasyncore, maps[this])
            for far in far_ends:
                assert await answers(far)
            before = [await settled(goasyncore, channels) for channels in maps]

    try:
        run(main())
    finally:
        for channels in maps:
            goasyncore.detach(channels)
            asyncore.close_all(channels)
    assert run.loop.failures == []
