"""goasyncore.channels() and dump_on(), the reason in stats(), GOASYNCORE_SLOW_HANDLER."""

import asynchat
import asyncore
import collections
import os
import signal
import subprocess
import sys
import textwrap
import weakref

import pytest
from support import LIMIT, Recorder, pair, run_python, tcp_pair

pytestmark = pytest.mark.ours_only("3.11 has none of it")


def rows(goasyncore, channels):
    return {row.kind: row for row in goasyncore.channels(channels)}


def test_channels_in_every_state(goasyncore, channels, closing):
    server = asyncore.dispatcher(map=channels)
    server.create_socket()
    server.bind(("127.0.0.1", 0))
    server.listen(5)
    near, far = closing(*tcp_pair())
    sender = asyncore.dispatcher_with_send(near, channels)
    sender.out_buffer = b"12345"
    other, _ = closing(*pair())
    chat = asynchat.async_chat(other, channels)
    chat.producer_fifo.extend([b"123", asynchat.simple_producer(b"4567")])

    class Unconnected(asyncore.dispatcher):
        def readable(self):
            raise ValueError("mine")

    unconnected = Unconnected(map=channels)
    unconnected.create_socket()

    class Client(asyncore.dispatcher_with_send):
        pass

    client = Client(map=channels)
    client.create_socket()
    client.connecting = True
    found = rows(goasyncore, channels)
    assert [row.number for row in goasyncore.channels(channels)] == list(channels)
    assert found["dispatcher"][2:5] == ("listening", "read", 0)
    assert found["dispatcher"].peer == ""
    host, port = near.getpeername()
    assert found["dispatcher_with_send"][2:6] == ("connected", "read write", 5, f"{host}:{port}")
    assert found["async_chat"][2:5] == ("connected", "read write", 7)
    assert found["test_channels_in_every_state.<locals>.Unconnected"][2:5] == (
        "not connected", "?", 0,
    )  # fmt: skip
    assert found["test_channels_in_every_state.<locals>.Client"][2:4] == (
        "connecting", "read write",
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells it on Linux")
def test_seconds_since_data_last_came(goasyncore, channels, closing):
    near, far = closing(*tcp_pair())
    Recorder(near, channels)
    far.send(b"x")
    (row,) = goasyncore.channels(channels)
    assert 0 <= row.idle < LIMIT


def test_table(goasyncore, channels, closing):
    assert str(goasyncore.channels(channels)) == "no channels"
    near, far = closing(*pair())
    Recorder(near, channels)
    head, line = str(goasyncore.channels(channels)).splitlines()
    assert head.split() == ["number", "class", "state", "waits", "for", "buffered", "peer", "idle"]
    assert line.split() == [str(near.fileno()), "Recorder", "connected", "read"]


def test_default_is_asyncores_map(goasyncore, closing):
    near, _ = closing(*pair())
    channel = Recorder(near)
    assert [row.number for row in goasyncore.channels()] == [near.fileno()]
    channel.close()


def test_anything_may_be_a_channel(goasyncore):
    assert goasyncore.channels({1: object(), "x": None})[1][:5] == (
        "x", "NoneType", "not connected", "?", 0,
    )  # fmt: skip


DUMP = """
    import asyncore, goasyncore, signal, socket, sys, time
    class Slow(asyncore.dispatcher):
        def writable(self):
            return False
        def handle_read(self):
            if self.recv(1) == b"s":
                time.sleep(0.05)
            print("read", flush=True)
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    Slow(socket.socket(fileno=int(sys.argv[1])))
    goasyncore.dump_on(signal.SIGUSR1)
    print("ready", flush=True)
    asyncore.loop()
"""


@pytest.fixture
def dumping(closing):
    """A process that loops and dumps on SIGUSR1, the socket to its channel, its variables."""
    running = []

    def start(**env):
        near, far = closing(*pair())
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(DUMP), str(far.fileno())],
            env={**os.environ, **env}, pass_fds=[far.fileno()], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        running.append(process)
        assert process.stdout.readline() == "ready\n"
        return process, near

    yield start
    for process in running:
        process.kill()
        process.communicate(timeout=LIMIT)


def read_dump(process):
    lines = []
    while "now in:\n" not in lines[:-1]:  # and where
        lines.append(process.stderr.readline())
        assert lines[-1], lines
    return "".join(lines)


def test_dump_on_a_signal(dumping):
    process, near = dumping()
    process.send_signal(signal.SIGUSR1)
    told = read_dump(process)
    assert told.startswith(f"goasyncore: channels of process {process.pid}\nnumber  class")
    assert "Slow   connected" in told
    assert "slow handlers: not watched (GOASYNCORE_SLOW_HANDLER=0.1" in told
    near.send(b"x")  # it goes on
    assert process.stdout.readline() == "read\n"


def test_environment_watches_handlers_and_the_dump_has_them(dumping):
    process, near = dumping(GOASYNCORE_SLOW_HANDLER="0.01")
    near.send(b"s")
    assert process.stdout.readline() == "read\n"
    near.send(b"x")
    assert process.stdout.readline() == "read\n"
    assert "Slow connected" in process.stderr.readline()  # the warning
    process.send_signal(signal.SIGUSR1)
    told = read_dump(process)
    slow = told.partition("slow handlers, latest last:\n")[2].splitlines()[0]
    assert ".handle_read() blocked the loop for " in slow


LOOP = """
    import asyncore, goasyncore, socket, time
    near, far = socket.socketpair()
    class Slow(asyncore.dispatcher):
        def writable(self): return False
        def handle_read(self):
            self.recv(1)
            time.sleep(0.02)
    Slow(near)
    far.send(b"x")
    {before}
    asyncore.loop(count=1)
"""


@pytest.mark.parametrize(
    ("value", "before", "told"),
    [
        ("0.001", "", "blocked the loop"),
        ("", "", ""),
        ("0", "", ""),
        ("10", "", ""),
        ("0.001", "goasyncore.slow_handler(None)", ""),
        ("soon", "", "RuntimeWarning: GOASYNCORE_SLOW_HANDLER is 'soon'"),
        ("-1", "", "RuntimeWarning: GOASYNCORE_SLOW_HANDLER is '-1'"),
    ],
)
def test_limit_of_the_environments(value, before, told):
    env = {"GOASYNCORE_SLOW_HANDLER": value}
    errors = run_python(LOOP.format(before=before), env=env).stderr
    assert told in errors
    assert bool(told) == bool(errors)


def reason(goasyncore, map):
    asyncore.loop(0, map=map, count=1)
    counted = goasyncore.stats(map)
    assert counted.portable_passes == counted.passes == 1
    return counted.portable_reason


class Map(dict):
    pass


def test_stats_say_why_passes_are_portable(goasyncore, channels, closing, monkeypatch):
    near, far = closing(*pair())
    Recorder(near, channels)
    if goasyncore.backend().name == "portable":
        assert reason(goasyncore, channels) == goasyncore.backend().reason
        return
    asyncore.loop(0, map=channels, count=1)
    assert goasyncore.stats(channels)[-2:] == (0, "")
    special = Map(channels)
    assert reason(goasyncore, special) == "the map is a Map, not exactly a dict"
    other, _ = closing(*pair())
    mixed = {**channels, other: Recorder(other, {})}
    assert reason(goasyncore, mixed) == "a key of the map is a socket, not an int"
    with monkeypatch.context() as patch:
        patch.setattr(asyncore, "read", lambda obj: None)
        assert reason(goasyncore, dict(channels)) == "asyncore.read has been replaced"
        patch.undo()
        patch.setattr(asyncore, "select", __import__("types").ModuleType("select"))
        with pytest.raises(AttributeError):
            asyncore.loop(0, map=channels, count=1)
        assert "select or time" in goasyncore.stats(channels).portable_reason


def test_stats_say_that_a_pass_was_nested(goasyncore, channels, closing):
    near, far = closing(*pair())
    channel = Recorder(near, channels)
    channel.handle_read = lambda: asyncore.loop(0, map=channels, count=0 if channel.seen else 1)
    channel.note("nested")
    channel.seen.clear()

    def handle_read():
        near.recv(1)
        asyncore.loop(0, map=channels, count=1)

    channel.handle_read = handle_read
    far.send(b"x")
    asyncore.loop(0, map=channels, count=1)
    counted = goasyncore.stats(channels)
    assert counted.portable_passes >= 1
    if goasyncore.backend().name == "native":
        assert (counted.passes, counted.portable_passes) == (2, 1)
        assert counted.portable_reason.startswith("a loop over the map is under way")


WRONG = [1, "map", [], object(), asyncore, None.__class__, lambda: None, (), {1}]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_wrong_map_is_refused_at_once(goasyncore, wrong):
    calls = [
        lambda: goasyncore.call_later(1, print, map=wrong),
        lambda: goasyncore.call_at(float("inf"), print, map=wrong),
        lambda: goasyncore.call_soon_threadsafe(print, map=wrong),
        lambda: goasyncore.wake(wrong),
        lambda: goasyncore.stats(wrong),
        lambda: goasyncore.channels(wrong),
        lambda: goasyncore.attach(wrong),
        lambda: goasyncore.detach(wrong),
        lambda: goasyncore.dump_on(signal.SIGUSR1, wrong),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"a map of channels is needed, not "):
            call()


@pytest.mark.parametrize(
    "kind", [dict, Map, collections.OrderedDict, weakref.WeakValueDictionary, collections.UserDict]
)
def test_any_mapping_will_do(goasyncore, kind):
    map = kind()
    goasyncore.call_soon_threadsafe(print, map=map).cancel()
    goasyncore.wake(map)
    assert goasyncore.stats(map).passes == 0
    assert goasyncore.channels(map) == []
    goasyncore.detach(map)


FOREIGN = """
    import asyncio, sys, types, warnings
    foreign = types.ModuleType("asyncore")
    foreign.socket_map, foreign.__file__ = {}, "foreign.py"
    sys.modules["asyncore"] = foreign
    import goasyncore
    async def attach():
        goasyncore.attach()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        goasyncore.call_later(1, print)
        goasyncore.call_soon_threadsafe(print, map={})
        goasyncore.wake()
        asyncio.run(attach())
        goasyncore.detach()
        goasyncore.channels()
    for warning in caught:
        print(warning.category.__name__, warning.filename, warning.message)
"""


def test_foreign_asyncore_is_told_of_once():
    (line,) = run_python(FOREIGN).stdout.splitlines()
    assert line.startswith("RuntimeWarning <string> foreign.py is not goasyncore's: its loop does")
