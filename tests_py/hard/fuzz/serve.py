"""Plays the programs that it is sent, a line of JSON each, and answers what came of them.

    python serve.py BACKEND

BACKEND is the one that has to serve, or "reference" for a module that is not ours.
"""

import asynchat
import asyncore
import contextlib
import io
import json
import os
import re
import shutil
import signal
import socket
import sys
import tempfile

from values_of import build

MOST = 40  # events that are written down; a program that feeds itself is the same until there


class Stuck(BaseException):
    pass


def show(value):
    if type(value) is bool:
        value = int(value)  # of truth values nobody asks more
    if value is None or type(value) in (int, bytes, str):
        return re.sub("0x[0-9a-f]+", "0x", repr(value))[:200]
    if isinstance(value, (bytes, bytearray, memoryview)):
        try:
            return repr(bytes(value))[:200]
        except ValueError:
            return "released"
    return type(value).__name__.removeprefix("_")


def describe(error):
    number = f" {error.errno}" if isinstance(error, OSError) else ""
    return f"{type(error).__name__}{number}"


class Noting:
    """What every kind of channel does besides: say what happened to it."""

    def handle_error(self):
        stage["note"]("error " + describe(sys.exc_info()[1]))

    def handle_close(self):
        stage["note"]("close")
        self.close()

    def handle_expt(self):
        stage["note"]("expt")

    def handle_accepted(self, *args):
        stage["note"]("accepted")


class Plain(Noting, asyncore.dispatcher):
    def handle_read(self):
        stage["note"]("read " + show(self.recv(20)))

    def handle_write(self):
        stage["note"]("write")


class Sender(Noting, asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(20)
        stage["note"]("read " + show(data))
        if data:
            self.send(data)


class Chat(Noting, asynchat.async_chat):
    terminator = b"\n"

    def collect_incoming_data(self, data):
        stage["note"]("data " + show(data))
        self._collect_incoming_data(data)

    def found_terminator(self):
        data = self._get_data()
        stage["note"]("line " + show(data))
        self.push(data)


KINDS = {"plain": Plain, "sender": Sender, "chat": Chat}
stage = {}


def begin(kind):
    events = []

    def note(text):
        if len(events) > MOST:
            raise Stuck
        events.append(text)

    near, far = socket.socketpair()
    far.setblocking(False)
    cls = type(kind, (KINDS[kind],), {})
    channels = {}
    stage.update(note=note, events=events, map=channels, far=far, cls=cls, kept=[near])
    stage["other"], beyond = socket.socketpair()
    stage["kept"].append(beyond)
    stage["channel"] = cls(near, channels)
    asyncore.loop(0, False, {**channels}, 1)  # so that the engine and its methods are there


def act(action):
    what, *rest = action
    channel, channels = stage["channel"], stage["map"]
    values = [build(spec, stage) for spec in rest[-1]]
    if what == "set":
        target = stage["cls"] if rest[1] == "class" else channel
        return setattr(target, rest[0], values[0])
    if what == "delete":
        return delattr(channel, rest[0])
    if what == "method":
        return getattr(channel, rest[0])(*values)
    if what == "function":
        module = asynchat if hasattr(asynchat, rest[0]) else asyncore
        return getattr(module, rest[0])(*values)
    if what == "unbound":
        return getattr(KINDS[rest[0]], rest[1])(*values)
    if what == "pass":
        return asyncore.loop(0, rest[0], channels, rest[1])
    if what == "key":
        channels[values[0]] = channel
        return None
    if what == "entry":
        channels[channel.socket.fileno()] = values[0]
        return None
    assert what == "arrives", action
    return stage["far"].send(bytes.fromhex(rest[0]))


def play(program):
    begin(program["kind"])
    outcomes = []
    for action in program["actions"]:
        stage["events"].clear()
        stage["waits"] = True
        signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)  # again: it may be swallowed
        try:
            outcome = "returns " + show(act(action))
        except BaseException as error:
            outcome = "raises " + describe(error)
        finally:
            stage["waits"] = False
            signal.setitimer(signal.ITIMER_REAL, 0)
        outcomes.append([outcome, *stage["events"][:MOST]])
    try:
        outcomes.append(show(stage["far"].recv(1 << 20)))
    except OSError:
        outcomes.append("nothing")
    return outcomes


def stuck(number, frame):
    if stage.get("waits"):
        raise Stuck


def main():
    programs, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(null, number)
    signal.signal(signal.SIGALRM, stuck)
    if sys.argv[1] != "reference":
        import goasyncore

        assert goasyncore.backend().name == sys.argv[1]
    home = os.getcwd()
    for line in programs:
        folder = tempfile.mkdtemp()  # names given as addresses become files there
        os.chdir(folder)
        quiet = io.StringIO()
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            outcomes = play(json.loads(line))
        asyncore.socket_map.clear()
        stage.clear()
        os.chdir(home)
        shutil.rmtree(folder)
        print(json.dumps(outcomes), file=answers, flush=True)


if __name__ == "__main__":
    main()
