"""How what attach() begins comes to its end, and whose the map is meanwhile."""

import asyncio
import asyncore
import contextlib
import gc
import os
import resource
import signal
import sys

import pytest
from attaching import Echo, settled, until
from support import LIMIT, Recorder, pair, run_python

pytestmark = pytest.mark.ours_only("3.11 has no attach()")

MEGABYTE = 1 << 20


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


@pytest.fixture
def all_numbers():
    """all_numbers(): take every descriptor that is left, until the end of the test."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []

    def take():
        # The engine's own numbers may be large.
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, limits[0]), limits[1]))
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))

    yield take
    for number in taken:
        os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("left", ["some", "none"])
def test_channels_are_served_after_the_engine_has_begun_anew(
    goasyncore, attached, run, closing, all_numbers, left
):
    """An event of an open file that no number has any more makes the engine register all that it
    has in a new set. If no descriptor is left, that may get the number of the old one.
    """
    idle, peer = closing(*pair())
    gone, gones_peer = closing(*pair())
    other, _ = closing(*pair())
    told = []

    class Reader(asyncore.dispatcher):
        def writable(self):
            return False

        def handle_read(self):
            told.append(self.recv(100))

        def handle_error(self):
            self.del_channel()

    async def main():
        Reader(idle, attached)
        Reader(gone, attached)
        goasyncore.attach(attached)
        peer.send(b"1")
        await until(lambda: told == [b"1"])
        kept = os.dup(gone.fileno())
        os.dup2(other.fileno(), gone.fileno())
        Reader(gone, attached)
        if left == "none":
            all_numbers()
        gones_peer.send(b"nobody's")
        await asyncio.sleep(0.1)
        peer.send(b"2")
        await until(lambda: told == [b"1", b"2"])
        os.close(kept)

    run(main())


def test_an_open_file_that_has_lost_its_number_is_left_out(goasyncore, attached, run, closing):
    """The kernel reports it for as long as it is open elsewhere, here under another number."""
    gone, gones_peer = closing(*pair())
    other, _ = closing(*pair())

    async def main():
        Recorder(gone, attached, wants="r")
        goasyncore.attach(attached)
        await settled(goasyncore, attached)
        kept = os.dup(gone.fileno())
        os.dup2(other.fileno(), gone.fileno())
        gones_peer.send(b"nobody's")
        await settled(goasyncore, attached)  # natively it may take a second
        os.close(kept)

    run(main())


def epoll_sets():
    """The numbers of all epoll sets of the engine. Those of asyncio have low numbers."""
    there = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            there[int(name)] = os.readlink("/proc/self/fd/" + name)
    return {n for n, file in there.items() if n > 900 and file == "anon_inode:[eventpoll]"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for the set in /proc")
def test_channels_are_served_when_a_new_set_has_the_number_of_the_old(
    goasyncore, attached, run, closing
):
    if goasyncore.backend().name != "native":
        pytest.skip("a portable pass has no set")
    near, far = closing(*pair())
    told = []

    class Reader(asyncore.dispatcher):
        def writable(self):
            return False

        def handle_read(self):
            told.append(self.recv(100))

    async def main():
        gc.collect()  # the maps of other tests, whose sets would leave lower numbers when they go
        others = epoll_sets()
        Reader(near, attached)
        goasyncore.attach(attached)
        far.send(b"1")
        await until(lambda: told == [b"1"])
        (number,) = epoll_sets() - others
        os.close(number)
        await asyncio.sleep(0.01)  # the engine looks at its descriptors once in a millisecond
        goasyncore.call_later(0, lambda: told.append(b"called"), map=attached)
        await until(lambda: told[-1] == b"called")
        assert epoll_sets() - others == {number}
        before = goasyncore.stats(attached).passes
        far.send(b"2")
        await until(lambda: told[-1] == b"2")
        assert goasyncore.stats(attached).passes - before == 1

    run(main())
