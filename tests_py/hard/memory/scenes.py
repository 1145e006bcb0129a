"""Has allocations fail one after the other while the loop is used, and looks whether it can go on.

    python scenes.py SCENE LAST WIDTH

In the n-th round, up to LAST, the n-th allocation of the scene fails and WIDTH - 1 after it. The
scene must end well or with MemoryError, then the same channels are served, and others in a new map.
A round is said on standard error before it begins, so that the last line tells which one crashed.
"""

import _testcapi
import asynchat
import asyncore
import collections
import socket
import sys

KEPT = []  # until memory is there again: closing what was forgotten takes some, inside CPython


class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(100_000)
        if data:
            self.send(data)

    def handle_error(self):
        raise


class Lines(asynchat.async_chat):
    terminator = b"\n"
    collect_incoming_data = asynchat.async_chat._collect_incoming_data

    def found_terminator(self):
        self.push(self._get_data())

    def handle_error(self):
        raise


class Failing(Echo):
    def handle_read(self):
        self.recv(100)
        raise ValueError

    def handle_error(self):
        if not isinstance(sys.exc_info()[1], ValueError):
            raise


def connect(channels, cls=Echo, data=b"x\n"):
    near, far = socket.socketpair()
    far.setblocking(False)
    channel = cls(near, channels)
    far.send(data)
    KEPT.append((channel, far))
    return channel, far


def a_first_pass(channels):
    connect(channels)
    yield
    asyncore.loop(0, False, channels, 2)


def a_later_pass(channels):
    _, far = connect(channels)
    asyncore.loop(0, True, channels, 1)
    far.send(b"more")
    yield
    asyncore.loop(0, True, channels, 3)


def a_new_class(channels):
    connect(channels)
    asyncore.loop(0, True, channels, 1)

    class New(Lines):
        def readable(self):
            return True

    connect(channels, New)
    yield
    asyncore.loop(0, True, channels, 2)


def a_changed_class(channels):
    class Changing(Echo):
        pass

    for _ in range(3):
        connect(channels, Changing)
    asyncore.loop(0, True, channels, 1)
    yield
    Changing.writable = lambda self: False
    asyncore.loop(0, True, channels, 2)


def many_channels(channels):
    for _ in range(40):
        connect(channels)
    yield
    asyncore.loop(0, False, channels, 2)


def a_chat(channels):
    chat, far = connect(channels, Lines, b"one\ntwo\nthr")
    asyncore.loop(0, False, channels, 1)
    far.send(b"ee\n" + b"x" * 9000)
    yield
    asyncore.loop(0, False, channels, 2)
    chat.push(b"abc")
    chat.push(b"d" * 300_000)


def changes_between_passes(channels):
    first, far = connect(channels)
    second, _ = connect(channels)
    asyncore.loop(0, False, channels, 1)
    yield
    first.connected = False
    first.new = 1
    if sys.version_info < (3, 13):  # which empties it when there is no memory
        first.__dict__ = dict(vars(first))
    second.del_channel()
    second.set_socket(second.socket, channels)
    first.connected = True
    asyncore.loop(0, True, channels, 1)


def handlers_that_raise(channels):
    _, far = connect(channels, Failing)
    asyncore.loop(0, False, channels, 1)
    far.send(b"x")
    yield
    asyncore.loop(0, True, channels, 1)


def play(scene, number, width):
    """What came of it, and the map that it left."""
    channels = {}
    steps = scene(channels)
    next(steps)
    outcome = "fine"
    _testcapi.set_nomemory(number, number + width)
    try:
        next(steps, None)
    except MemoryError:
        outcome = "no memory"
    except (AttributeError, SystemError):
        # CPython's own: a traceback that it could not make, a class that 3.13 could not change.
        if scene not in (handlers_that_raise, a_changed_class):
            raise
        outcome = "no memory"
    finally:
        _testcapi.remove_mem_hooks()
    return outcome, channels


def serve_again(channels):
    for channel in channels.values():
        channel.__class__ = Echo
        channel.out_buffer = b""
        channel.connected = True
    for channel, far in KEPT:
        if channel in channels.values():
            try:
                while far.recv(1 << 20):
                    pass
            except BlockingIOError:
                far.send(b"again")
    asyncore.loop(0, False, channels, 2)
    for channel, far in KEPT:
        if channel in channels.values():
            assert far.recv(100_000).endswith(b"again")
        far.close()


def main():
    scene, last, width = globals()[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])
    outcomes = collections.Counter()
    list(scene({}))  # once with memory: what is imported late is there
    serve_again({})
    for number in range(1, last + 1):
        KEPT.clear()
        print("allocation", number, file=sys.stderr, flush=True)
        outcome, channels = play(scene, number, width)
        outcomes[outcome] += 1
        serve_again(channels)
        connect(fresh := {})
        serve_again(fresh)
    print(dict(outcomes))


if __name__ == "__main__":
    main()
