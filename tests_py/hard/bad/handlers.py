"""Handlers that do their worst; prints what comes of each as JSON.

    python handlers.py BACKEND

Each runs between two channels that behave, in the same pass: those have to be served.
"""

import asynchat
import asyncore
import gc
import itertools
import json
import os
import socket
import sys
import threading

import values


class Quiet(values.Echo):
    def handle_error(self):
        self.close()


class Worst(asyncore.dispatcher_with_send):
    """Does what it was made for in the handler that it was made for."""

    deed, place, depth = None, None, 0

    def do(self, place):
        if place == self.place:
            self.deed(self)

    def readable(self):
        self.do("readable")
        return True

    def writable(self):
        self.do("writable")
        return asyncore.dispatcher_with_send.writable(self)

    def handle_read(self):
        self.do("handle_read")
        self.recv(100)

    def handle_write(self):
        self.do("handle_write")

    def handle_error(self):
        self.do("handle_error")
        self.close()

    def handle_close(self):
        self.do("handle_close")
        self.close()


class Unusual(BaseException):
    pass


class Unhappy(Exception):
    """Cannot be shown, compared or told apart."""

    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __eq__ = __str__
    __hash__ = None


def raising(error):
    def deed(channel):
        raise error

    return deed


def raise_while_handling(channel):
    try:
        raise ValueError("first")
    except ValueError:
        raise KeyError("second") from Unusual()


def recurse(channel):
    recurse(channel)


def recurse_through_loop(channel):
    asyncore.loop(0, False, channel._map, 1)


def recurse_through_other_maps(channel):
    channel.depth += 1
    if channel.depth < 50:
        with values.ready_channel() as (channels, other, far):
            other.handle_read = lambda: recurse_through_other_maps(channel)
            asyncore.loop(0, True, channels, 1)


def close_all(channel):
    asyncore.close_all(channel._map)


def clear_map(channel):
    channel._map.clear()


def drop_itself(channel):
    channel.__dict__.clear()


def close_socket(channel):
    os.close(channel.socket.detach())


def swap_socket(channel):
    near, far = socket.socketpair()
    far.close()
    os.dup2(near.fileno(), channel.socket.fileno())
    near.close()


def become_another(channel):
    channel.__class__ = type("Another", (asynchat.async_chat,), {})


def delete_methods(channel):
    kind = type(channel)
    for name in [name for name in vars(kind) if name.startswith(("handle", "readable"))]:
        delattr(kind, name)


def collect(channel):
    for _ in range(3):
        gc.collect()


def loop_in_thread(channel):
    channel.depth += 1
    if channel.depth > 3:
        return
    thread = threading.Thread(target=asyncore.loop, args=(0, False, channel._map, 1))
    thread.start()
    thread.join()


def return_nonsense(channel):
    return values.Failing()


def fill_map(channel):
    for number in range(900, 950):
        channel._map[number] = Quiet()
        channel._map[number].readable = channel._map[number].writable = lambda: False


DEEDS = {
    **{error.__name__: raising(error()) for error in (ValueError, Unusual, Unhappy, SystemExit)},
    **{error.__name__: raising(error()) for error in (MemoryError, StopIteration, GeneratorExit)},
    "ExitNow": raising(asyncore.ExitNow()),
    "EBADF": raising(OSError(9, "Bad")),
    "OSError without a number": raising(OSError()),
    "OSError with an odd number": raising(OSError("odd", "number")),
    **{
        deed.__name__: deed
        for deed in (
            *(raise_while_handling, recurse, recurse_through_other_maps, close_all, clear_map),
            *(drop_itself, swap_socket, become_another, delete_methods, collect, return_nonsense),
            *(fill_map, loop_in_thread),
        )
    },
}
PLACES = ("readable", "writable", "handle_read", "handle_write", "handle_error", "handle_close")
# 3.11 makes the pass with the numbers it had collected before; see docs/differences.md.
KNOWN = {
    *itertools.product(("close_all", "clear_map", "swap_socket"), ("readable", "writable")),
}


def scene(deed, place, use_poll):
    channels = {}
    pairs = [socket.socketpair() for _ in range(3)]
    kind = type("Worst", (Worst,), {**vars(Worst)})
    first = Quiet(pairs[0][0], channels)
    worst = kind(pairs[1][0], channels)
    last = Quiet(pairs[2][0], channels)
    worst.place, worst.deed = place, deed
    if place == "handle_error":
        worst.recv = values.Failing()
    if place == "handle_write":
        worst.out_buffer = b"x"
    for _, far in pairs:
        far.send(b"y")
    if place == "handle_close":
        pairs[1][1].close()
    results = [values.outcome(lambda: asyncore.loop(0, use_poll, channels, 1)) for _ in range(3)]
    results += [channel in channels.values() for channel in (first, worst, last)]
    results += [values.echoed(pairs[0][1]), values.echoed(pairs[2][1])]
    for near, far in pairs:
        near.close()
        far.close()
    return results


def main():
    if sys.argv[1] != "reference":
        import goasyncore

        assert goasyncore.backend().name == sys.argv[1]
    outcomes = {}
    for (name, deed), place, use_poll in itertools.product(DEEDS.items(), PLACES, (False, True)):
        if (name, place) not in KNOWN:
            outcomes[f"{name} in {place}, poll {use_poll}"] = scene(deed, place, use_poll)
    json.dump(outcomes, sys.stdout, indent=0)


if __name__ == "__main__":
    main()
