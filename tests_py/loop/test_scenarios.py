"""The scenarios that the Go channels run too: a script, and the trace that it has to leave.

python3.11 tests_py/loop/test_scenarios.py       writes the traces that CPython 3.11 leaves
"""

import asynchat
import asyncore
import errno
import json
import os
import pathlib
import select
import socket
import sys
import time

SCENARIOS = pathlib.Path(__file__).parents[2] / "tests_go" / "testdata" / "scenarios"
LIMIT = 20.0  # seconds until a scenario counts as stuck
BULK = b"0123456789abcdef" * 4096


class Failure(Exception):
    """What the action `fail` raises."""


def name_of(error):
    if isinstance(error, asyncore.ExitNow):
        return "exit"
    if isinstance(error, OSError):
        return errno.errorcode[error.errno]
    return "failure" if isinstance(error, Failure) else repr(error)


class Stage:
    """Carries out a scenario and keeps its trace."""

    def __init__(self, scenario, use_poll):
        self.scenario = scenario
        self.use_poll = use_poll
        self.map = {}
        self.channels = {}
        self.peers = {}
        self.trace = []
        self.accepted_as = None
        self.depth = 0  # of passes within passes

    def run(self):
        try:
            for action in self.scenario["steps"]:
                self.act(action)
        finally:
            for sock in self.peers.values():
                sock.close()
            for channel in self.channels.values():
                if channel.socket is not None:
                    channel.socket.close()
        return self.trace

    def note(self, *words):
        self.trace.append(" ".join(words))

    def act(self, action):
        getattr(self, "do_" + action[0])(*action[1:])

    def event(self, name, event):
        """Note an event; true if the scenario says what to do about it."""
        self.note(name, event)
        actions = self.scenario["channels"][name].get("on", {}).get(event)
        for action in actions or ():
            self.act(action)
        return actions is not None

    def make(self, name):
        description = self.scenario["channels"][name]
        channel = CHANNELS[description["kind"]](map=self.map)
        channel.stage, channel.name = self, name
        channel.wants = description.get("wants", "")
        if "terminator" in description:
            self.channels[name] = channel
            self.do_terminator(name, description["terminator"])
        self.channels[name] = channel
        return channel

    # -- what a script may say ------------------------------------------------------------------

    def do_open(self, name):
        near, self.peers[name] = socket.socketpair()
        self.peers[name].settimeout(LIMIT)
        self.attach(name, near)

    def attach(self, name, sock):
        channel = self.make(name)
        sock.setblocking(False)
        channel.set_socket(sock)
        channel.connected = True

    def do_listen(self, name, accepted_as):
        self.accepted_as = accepted_as
        channel = self.make(name)
        channel.create_socket()
        channel.bind(("127.0.0.1", 0))
        channel.listen(5)

    def do_connect(self, name, to):
        channel = self.make(name)
        channel.create_socket()
        channel.connect(self.channels[to].socket.getsockname())

    def do_connect_refused(self, name):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            channel = self.make(name)
            channel.create_socket()
            channel.connect(nobody.getsockname())
            self.do_until(name, "error")

    def do_say(self, name, text):
        self.peers[name].sendall(text.encode())

    def do_hear(self, name):
        self.note(name, "heard", self.peers[name].recv(1 << 16).decode())

    def do_hangup(self, name):
        self.peers[name].close()

    def do_recv(self, name):
        self.note(name, "received", self.channels[name].recv(1 << 16).decode())

    def do_echo(self, name):
        data = self.channels[name].recv(1 << 16)
        if data:
            self.channels[name].send(data)

    def do_send(self, name, text):
        self.channels[name].send(text.encode())

    def do_bulk(self, name, size):
        self.channels[name].send((BULK * (size // len(BULK) + 1))[:size])

    def do_push(self, name, text):
        self.channels[name].push(text.encode())

    def do_push_bulk(self, name, size):
        self.channels[name].push((BULK * (size // len(BULK) + 1))[:size])

    def do_produce(self, name, text, size):
        self.channels[name].push_with_producer(asynchat.simple_producer(text.encode(), size))

    def do_close_when_done(self, name):
        self.channels[name].close_when_done()

    def do_discard(self, name):
        self.channels[name].discard_buffers()

    def do_terminator(self, name, terminator):
        if isinstance(terminator, str):
            terminator = terminator.encode()
        self.channels[name].set_terminator(terminator)

    def do_drain(self, name, size):
        expected, at = (BULK * (size // len(BULK) + 1))[:size], 0
        deadline = time.monotonic() + LIMIT
        while at < size and time.monotonic() < deadline:
            asyncore.loop(timeout=0, use_poll=self.use_poll, map=self.map, count=1)
            while at < size and select.select([self.peers[name]], [], [], 0)[0]:
                data = self.peers[name].recv(1 << 16)
                assert data == expected[at : at + len(data)]
                at += len(data)
        self.note(name, "drained", str(at))

    def do_close(self, name):
        self.channels[name].close()

    def do_wants(self, name, wants):
        self.channels[name].wants = wants

    def do_remove(self, name):
        self.channels[name].del_channel(self.map)

    def do_add(self, name):
        channel = self.channels[name]
        channel._fileno = channel.socket.fileno()
        channel.add_channel(self.map)

    def do_pass(self, timeout=0):
        self.depth += 1
        try:
            asyncore.loop(timeout=timeout, use_poll=self.use_poll, map=self.map, count=1)
        except Exception as error:
            self.note("raised", name_of(error))
            if self.depth > 1:
                raise
        finally:
            self.depth -= 1

    def do_loop(self):
        deadline = time.monotonic() + LIMIT
        while self.map and time.monotonic() < deadline:
            self.do_pass(0.1)

    def do_until(self, name, event):
        deadline = time.monotonic() + LIMIT
        while f"{name} {event}" not in [" ".join(t.split()[:2]) for t in self.trace]:
            assert time.monotonic() < deadline, f"{name} {event} has not happened"
            self.do_pass(0.1)

    def do_close_all(self):
        asyncore.close_all(self.map)

    def do_length(self):
        self.note("length", str(len(self.map)))

    def do_fail(self):
        raise Failure

    def do_exit(self):
        raise asyncore.ExitNow

    def do_errno(self, name):
        number = getattr(errno, name)
        raise OSError(number, os.strerror(number))


class Recorder:
    def handle_close(self):
        if not self.stage.event(self.name, "close"):
            self.close()

    def handle_error(self):
        self.stage.note(self.name, "error", name_of(sys.exc_info()[1]))
        for action in self.stage.scenario["channels"][self.name].get("on", {}).get("error", ()):
            self.stage.act(action)

    def handle_connect(self):
        self.stage.event(self.name, "connect")

    def handle_accepted(self, sock, addr):
        self.stage.event(self.name, "accepted")
        self.stage.attach(self.stage.accepted_as, sock)
        self.stage.note(self.stage.accepted_as, "opened")


class Dispatcher(Recorder, asyncore.dispatcher):
    def readable(self):
        return "r" in self.wants

    def writable(self):
        return "w" in self.wants

    def handle_read(self):
        self.stage.event(self.name, "read")

    def handle_write(self):
        self.stage.event(self.name, "write")

    def handle_expt(self):
        self.stage.event(self.name, "expt")


class Sender(Recorder, asyncore.dispatcher_with_send):
    def handle_read(self):
        self.stage.event(self.name, "read")


class Chat(Recorder, asynchat.async_chat):
    def collect_incoming_data(self, data):
        self.stage.note(self.name, "collects", repr(data.decode()))

    def found_terminator(self):
        self.stage.event(self.name, "found")


CHANNELS = {"dispatcher": Dispatcher, "sender": Sender, "chat": Chat}


def all_scenarios():
    for path in sorted(SCENARIOS.glob("*.json")):
        for scenario in json.loads(path.read_text(encoding="utf-8")):
            for meaning in ("select", "poll"):
                yield path.stem, scenario, meaning


def pytest_generate_tests(metafunc):
    if "scenario" in metafunc.fixturenames:
        cases = list(all_scenarios())
        ids = [f"{stem}: {scenario['name']} ({meaning})" for stem, scenario, meaning in cases]
        metafunc.parametrize("scenario, meaning", [case[1:] for case in cases], ids=ids)


def test_scenario(scenario, meaning):
    assert Stage(scenario, meaning == "poll").run() == scenario["trace"][meaning]


def write():
    for path in sorted(SCENARIOS.glob("*.json")):
        scenarios = json.loads(path.read_text(encoding="utf-8"))
        for scenario in scenarios:
            scenario["trace"] = {
                meaning: Stage(scenario, meaning == "poll").run() for meaning in ("select", "poll")
            }
        path.write_text(as_text(scenarios), encoding="utf-8")


def as_text(scenarios):
    """JSON with an action, an event and a channel a line."""
    parts = []
    for scenario in scenarios:
        lines = [f' {{"name": {json.dumps(scenario["name"])},', '  "channels": {']
        lines.append(
            ",\n".join(
                f"   {json.dumps(name)}: {json.dumps(channel)}"
                for name, channel in scenario["channels"].items()
            )
        )
        lines += ["  },", f'  "steps": {json.dumps(scenario["steps"])},', '  "trace": {']
        lines.append(
            ",\n".join(
                f"   {json.dumps(meaning)}: {json.dumps(trace)}"
                for meaning, trace in scenario["trace"].items()
            )
        )
        parts.append("\n".join([*lines, "  }}"]))
    return "[\n" + ",\n".join(parts) + "\n]\n"


if __name__ == "__main__":
    write()
