"""What a random program may do, with how often; each action takes the program."""

import asyncore
import errno
import socket

from players import Own, Server, Stop

TEXT = b"one\r\ntwo\r\nthree and more\r\n" * 4


def enter(program):
    if len(program.cast.channels) < 12:
        program.cast.enter()


def peer_sends(program):
    _, peer = program.cast.pick()
    if peer is not None and peer.fileno() >= 0:
        try:
            program.note("sent", peer.send(TEXT[: program.rng.choice((1, 4, 30, 100))]))
        except OSError as error:
            program.note("not sent", error.errno)


def peer_closes(program):
    _, peer = program.cast.pick()
    if peer is not None:
        peer.close()


def peer_shuts_down(program):
    _, peer = program.cast.pick()
    if peer is not None and peer.fileno() >= 0:
        peer.shutdown(program.rng.choice((socket.SHUT_RD, socket.SHUT_WR)))


def peer_reads(program):
    _, peer = program.cast.pick()
    if peer is not None and peer.fileno() >= 0:
        try:
            program.note("peer got", len(peer.recv(100000)))
        except OSError as error:
            program.note("peer got nothing", error.errno)


def channel_sends(program):
    channel, _ = program.cast.pick()
    data = TEXT * program.rng.choice((1, 1, 100))
    if hasattr(channel, "push"):
        channel.push(data)
    elif hasattr(channel, "send"):
        program.note("sent", channel.send(data))


def channel_closes(program):
    channel, _ = program.cast.pick()
    if channel is not None:
        channel.close()


def leaves_map(program):
    channel, _ = program.cast.pick()
    if hasattr(channel, "del_channel"):
        number = channel._fileno
        channel.del_channel()
        channel._fileno = number


def enters_map(program):
    channel, _ = program.cast.pick()
    if hasattr(channel, "add_channel") and channel.socket.fileno() >= 0:
        # Into one map alone: a channel closed in a pass over another one is found out later.
        if channel._fileno is not None:
            channel.del_channel()
            channel._fileno = channel.socket.fileno()
        channel._map = program.rng.choice(program.maps)
        channel.add_channel()


def taken_out_by_hand(program):
    channels = program.rng.choice(program.maps)
    if channels:
        del channels[program.rng.choice(list(channels))]


def map_cleared(program):
    program.rng.choice(program.maps).clear()


def map_reordered(program):
    channels = program.rng.choice(program.maps)
    if channels:
        key = next(iter(channels))
        channels[key] = channels.pop(key)


def closed_behind(program):
    """The socket alone is closed; the map still has it. A loop under way may find out later."""
    channel, _ = program.cast.pick()
    if (
        program.depth == 0
        and channel is not None
        and not channel.accepting
        and channel.socket.fileno() >= 0
    ):
        channel.socket.close()


def wants_change(program):
    channel, _ = program.cast.pick()
    if isinstance(channel, Own):
        channel.wants_read = program.rng.choice((True, True, False, 0, [], "yes"))
        channel.wants_write = program.rng.choice((True, False, False, None, 1))


def state_change(program):
    channel, _ = program.cast.pick()
    name = program.rng.choice(("connected", "accepting", "connecting"))
    if channel is not None and not isinstance(channel, Server) and channel.socket.fileno() >= 0:
        setattr(channel, name, program.rng.random() < 0.5)


def buffer_change(program):
    channel, _ = program.cast.pick()
    if hasattr(channel, "out_buffer"):
        channel.out_buffer = program.rng.choice((b"", b"by hand", bytearray(b"x"), b"y" * 70000))
    elif hasattr(channel, "producer_fifo"):
        channel.producer_fifo.append(program.rng.choice((b"fifo\r\n", b"", None)))


def predicate_set(program):
    channel, _ = program.cast.pick()
    name = program.rng.choice(("readable", "writable"))
    if channel is not None:
        answer = program.rng.random() < 0.5
        setattr(channel, name, lambda: answer)


def predicate_unset(program):
    channel, _ = program.cast.pick()
    for name in ("readable", "writable"):
        vars(channel or program).pop(name, None)


def handler_set(program):
    channel, _ = program.cast.pick()
    if channel is not None:
        name = program.rng.choice(("handle_read", "handle_write", "handle_read_event"))

        def handler():
            program.note(channel.name, "replaced", name)
            channel.socket.recv(9)

        setattr(channel, name, handler)


def handler_unset(program):
    channel, _ = program.cast.pick()
    for name in ("handle_read", "handle_write", "handle_read_event"):
        vars(channel or program).pop(name, None)


def class_assigned(program):
    channel, _ = program.cast.pick()
    if type(channel).__name__ == "Known":
        channel.__class__ = Own
    elif type(channel) is Own:
        channel.__class__ = Own.__base__


def dict_replaced(program):
    channel, _ = program.cast.pick()
    if channel is not None:
        channel.__dict__ = dict(vars(channel))


def connects(program):
    servers = [c for c in program.cast.channels if isinstance(c, Server) and c.accepting]
    if servers and len(program.cast.channels) < 12:
        address = program.rng.choice(servers).socket.getsockname()
        program.cast.join(Own, socket.socket(), None, program.rng.choice(program.maps))
        program.cast.channels[-1].connect(address)


def raises(program):
    raise program.rng.choice(
        (
            ValueError("a handler's"),
            OSError(errno.ECONNRESET, "a handler's"),
            OSError(errno.EBADF, "a handler's"),
            OSError(errno.EAGAIN, "a handler's"),
            asyncore.ExitNow("a handler's"),
            KeyboardInterrupt(),
            SystemExit(),
            Stop("a handler's"),
        )
    )


def nested(program):
    if program.depth < 4:
        program.loop(program.rng.choice(program.maps))


def told_directly(program):
    channel, _ = program.cast.pick()
    if hasattr(channel, "handle_read_event"):
        tell = program.rng.choice((asyncore.read, asyncore.write, asyncore.readwrite))
        if tell is asyncore.readwrite:
            tell(channel, program.rng.choice((1, 2, 4, 5, 16, 8)))
        else:
            tell(channel)


def terminator_change(program):
    channel, _ = program.cast.pick()
    if hasattr(channel, "set_terminator"):
        channel.set_terminator(program.rng.choice((b"\r\n", b"o", 3, 0, None, b"three and more")))


def chat_ends(program):
    channel, _ = program.cast.pick()
    if hasattr(channel, "close_when_done"):
        channel.close_when_done()


def everything_closed(program):
    asyncore.close_all(program.rng.choice(program.maps), ignore_all=True)


ACTIONS = [
    *((8, action) for action in (peer_sends, peer_sends, channel_sends)),
    *((4, action) for action in (enter, wants_change, peer_reads, state_change, buffer_change)),
    *((3, action) for action in (predicate_set, predicate_unset, handler_set, handler_unset)),
    *((2, action) for action in (peer_closes, peer_shuts_down, channel_closes, nested, connects)),
    *((2, action) for action in (leaves_map, enters_map, taken_out_by_hand, map_reordered)),
    *((2, action) for action in (terminator_change, told_directly, raises)),
    *((1, action) for action in (closed_behind, class_assigned, dict_replaced, chat_ends)),
    *((0.3, action) for action in (map_cleared, everything_closed)),
]
WEIGHTS = [weight for weight, _ in ACTIONS]

WHILE_ASKED = [action for _, action in ACTIONS]
