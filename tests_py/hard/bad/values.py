"""Calls the module with what it should not be called with, and prints the outcomes as JSON.

    python values.py BACKEND

Each value is tried in each argument's place; the outcome is the exception's type, and what the
channels saw.
"""

import asynchat
import asyncore
import collections
import contextlib
import io
import itertools
import json
import math
import os
import socket
import sys


class Echo(asyncore.dispatcher_with_send):
    handle_errors = 0

    def handle_read(self):
        data = self.recv(100)
        if data:
            self.send(data)

    def handle_error(self):
        raise


class Refusing(dict):
    def __getattribute__(self, name):
        raise LookupError(name)


class Failing:
    """Whatever is done to it fails."""

    def fail(self, *args):
        raise ArithmeticError

    __bool__ = __len__ = __iter__ = __getitem__ = __index__ = __int__ = __float__ = __eq__ = fail
    __lt__ = __gt__ = __le__ = __ge__ = __call__ = __getattr__ = fail
    __hash__ = object.__hash__


class ChangingWhenRead(dict):
    def items(self):
        for item in dict.items(self):
            yield item
            self[object()] = None


class RaisingWhenRead(collections.UserDict):
    def items(self):
        raise ArithmeticError


VALUES = {
    "minus one": -1,
    "zero": 0,
    "minus a half": -0.5,
    "not a number": math.nan,
    "infinity": math.inf,
    "a huge float": 1e300,
    "a huge int": 2**70,
    "a negative huge int": -(2**70),
    "more than an int32": 2**31,
    "true": True,
    "a string": "1",
    "an empty string": "",
    "bytes": b"x",
    "a list": [1],
    "an empty tuple": (),
    "a set": {1},
    "an object": object(),
    "a class": Echo,
    "a function": len,
    "a complex number": 1j,
    "failing": Failing(),
}


def outcome(action):
    """The type of what `action` raises, or of what it returns."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            result = action()
    except BaseException as error:
        number = f" {error.errno}" if isinstance(error, OSError) else ""
        return f"raises {type(error).__name__}{number}"
    return f"returns {result!r}" if isinstance(result, (int, bytes)) else "returns"


@contextlib.contextmanager
def ready_channel():
    """A map with one channel that has something to read, so that no wait is long."""
    channels = {}
    near, far = socket.socketpair()
    channel = Echo(near, channels)
    far.sendall(b"x")
    with near, far:
        yield channels, channel, far


def echoed(far):
    far.setblocking(False)
    try:
        return len(far.recv(10))
    except OSError:
        return "nothing"


def pass_arguments():
    functions = {
        "poll timeout": lambda value, channels: asyncore.poll(value, channels),
        "poll2 timeout": lambda value, channels: asyncore.poll2(value, channels),
        "loop timeout": lambda value, channels: asyncore.loop(value, False, channels, 1),
        "loop timeout poll": lambda value, channels: asyncore.loop(value, True, channels, 1),
        "loop use_poll": lambda value, channels: asyncore.loop(0, value, channels, 1),
        "loop count": lambda value, channels: asyncore.loop(0, False, channels, value),
        "loop map": lambda value, channels: asyncore.loop(0, False, value, 1),
        "poll map": lambda value, channels: asyncore.poll(0, value),
        "poll2 map": lambda value, channels: asyncore.poll2(0, value),
        "read": lambda value, channels: asyncore.read(value),
        "readwrite obj": lambda value, channels: asyncore.readwrite(value, 1),
        "close_all map": lambda value, channels: asyncore.close_all(value),
    }
    endless = {"a huge int", "more than an int32", "infinity", "a huge float", "not a number"}
    for (name, function), (what, value) in itertools.product(functions.items(), VALUES.items()):
        if name == "loop count" and (what in endless or what == "failing"):
            continue
        with ready_channel() as (channels, _, far):
            result = outcome(lambda f=function, v=value, c=channels: f(v, c))
            yield f"{name}: {what}", [result, echoed(far)]


def keys():
    """What may stand in the map for a number."""
    extra = {"none": None, "an empty set": frozenset()}
    for what, key in {**VALUES, **extra}.items():
        for use_poll in (False, True):
            with ready_channel() as (channels, channel, far):
                try:
                    channels[key] = channel
                except Exception:
                    continue  # it cannot be a key
                result = outcome(lambda c=channels, p=use_poll: asyncore.loop(0, p, c, 1))
                yield f"key {what} {use_poll}", [result, echoed(far)]


def channels_of_all_kinds():
    """What may stand in the map for a channel."""
    for what, value in {**VALUES, "none": None, "a module": os}.items():
        for use_poll in (False, True):
            with ready_channel() as (channels, channel, far):
                del channels[channel.socket.fileno()]
                channels[channel.socket.fileno()] = value
                result = outcome(lambda c=channels, p=use_poll: asyncore.loop(0, p, c, 1))
                yield f"channel {what} {use_poll}", [result, echoed(far)]


def attributes():
    """What may stand on a channel for its methods and state."""
    names = ("readable", "writable", "handle_read", "handle_read_event", "handle_error", "recv")
    names += ("accepting", "connected", "out_buffer", "socket", "debug", "initiate_send")
    for name, (what, value) in itertools.product(names, VALUES.items()):
        for where, use_poll in itertools.product(("instance", "class"), (False, True)):
            with ready_channel() as (channels, channel, far):
                sock = channel.socket
                kind = channel.__class__ = type("Other", (Echo,), {})
                setattr(channel if where == "instance" else kind, name, value)
                result = outcome(lambda c=channels, p=use_poll: asyncore.loop(0, p, c, 2))
                yield f"{where} {name} {what} {use_poll}", [result, echoed(far)]
                sock.close()


def methods():
    calls = {
        "recv": lambda channel, value: channel.recv(value),
        "send": lambda channel, value: channel.send(value),
        "dispatcher.send": lambda channel, value: asyncore.dispatcher.send(channel, value),
        "connect": lambda channel, value: channel.connect(value),
        "bind": lambda channel, value: channel.bind(value),
        "listen": lambda channel, value: channel.listen(value),
        "set_socket": lambda channel, value: channel.set_socket(value),
        "create_socket": lambda channel, value: channel.create_socket(value, value),
        "add_channel": lambda channel, value: channel.add_channel(value),
        "log_info": lambda channel, value: channel.log_info(value, value),
        "dispatcher": lambda channel, value: asyncore.dispatcher(value, {}),
        "dispatcher map": lambda channel, value: asyncore.dispatcher(channel.socket, value),
        "file_dispatcher": lambda channel, value: asyncore.file_dispatcher(value, {}),
        "push": lambda channel, value: asynchat.async_chat(channel.socket, {}).push(value),
        "set_terminator": lambda channel, value: asynchat.async_chat().set_terminator(value),
        "chat as self": lambda channel, value: asynchat.async_chat.push(value, b"x"),
        "recv of self": lambda channel, value: asyncore.dispatcher.recv(value, 10),
        "send of self": lambda channel, value: asyncore.dispatcher_with_send.send(value, b"x"),
        "handle_read of self": lambda channel, value: asynchat.async_chat.handle_read(value),
    }
    allocates = {("recv", "more than an int32"), ("file_dispatcher", "zero")}
    for (name, call), (what, value) in itertools.product(calls.items(), VALUES.items()):
        if (name, what) in allocates or (name == "file_dispatcher" and what == "true"):
            continue
        with ready_channel() as (channels, channel, far):
            sock = channel.socket
            # Once, so that the engine and its methods are there.
            asyncore.loop(0, False, {**channels}, 1)
            far.sendall(b"y")
            result = outcome(lambda c=call, o=channel, v=value: c(o, v))
            yield f"{name}({what})", [result, echoed(far)]
            sock.close()


def maps():
    for kind in (Refusing, ChangingWhenRead, RaisingWhenRead):
        for use_poll in (False, True):
            with ready_channel() as (channels, _, far):
                odd = kind(channels)
                result = outcome(lambda m=odd, p=use_poll: asyncore.loop(0, p, m, 1))
                yield f"map {kind.__name__} {use_poll}", [result, echoed(far)]


def main():
    if sys.argv[1] != "reference":
        import goasyncore

        assert goasyncore.backend().name == sys.argv[1]
    outcomes = {}
    groups = (pass_arguments, keys, channels_of_all_kinds, attributes, methods, maps)
    for group in groups:
        outcomes.update(group())
        asyncore.socket_map.clear()
    json.dump(outcomes, sys.stdout, indent=0)


if __name__ == "__main__":
    main()
