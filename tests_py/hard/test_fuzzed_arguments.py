"""Every name of the two modules, with values of every kind: as pyasyncore takes them, and no crash.

GOASYNCORE_EXAMPLES makes it more programs, and others each time.
"""

import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import goasyncore
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from soak import times

FUZZ = pathlib.Path(__file__).parent / "fuzz"
sys.path.insert(0, str(FUZZ))
from values_of import BASES, METHODS, WAYS  # noqa: E402

MORE = int(os.environ.get("GOASYNCORE_EXAMPLES", "0"))
SETTINGS = settings(
    max_examples=MORE or times(400, 5_000),
    deadline=None,
    derandomize=not MORE,
    database=None,
    suppress_health_check=list(HealthCheck),
)

NUMBERS = [-1, 0, 1, 2, 3, 255, 1024, 2**31 - 1, 2**31, 2**32 + 1, 2**63 - 1, 2**63, -(2**63) - 1]
NUMBERS += [2**70, -(2**70)]
FLOATS = ["nan", "inf", "-inf", "-0.5", "0.001", "1e300", "-0.0"]
ATTRIBUTES = ["out_buffer", "producer_fifo", "ac_in_buffer", "incoming", "terminator", "connected"]
ATTRIBUTES += ["accepting", "connecting", "closing", "addr", "debug", "socket", "ac_in_buffer_size"]
ATTRIBUTES += ["ac_out_buffer_size", "use_encoding", "encoding", "ignore_log_types", "_fileno"]
ATTRIBUTES += ["_map", "family_and_type", "readable", "writable", "handle_read", "handle_write"]
ATTRIBUTES += ["handle_read_event", "handle_write_event", "handle_expt_event", "handle_error"]
ATTRIBUTES += ["handle_close", "recv", "send", "initiate_send", "get_terminator", "push"]
ATTRIBUTES += ["collect_incoming_data", "found_terminator", "_collect_incoming_data", "_get_data"]
COMMON = ["recv", "send", "accept", "bind", "connect", "listen", "close", "set_socket", "log"]
COMMON += ["set_reuse_addr", "create_socket", "add_channel", "del_channel", "log_info", "readable"]
COMMON += ["writable", "handle_read_event", "handle_write_event", "handle_connect_event"]
COMMON += ["handle_expt_event", "handle_read", "handle_write", "handle_accept", "__repr__"]
CHAT = ["push", "push_with_producer", "initiate_send", "set_terminator", "get_terminator"]
CHAT += ["close_when_done", "discard_buffers", "_collect_incoming_data", "_get_data"]
FUNCTIONS = ["read", "write", "readwrite", "_exception", "close_all", "compact_traceback"]
FUNCTIONS += ["_strerror", "dispatcher", "dispatcher_with_send", "file_dispatcher", "file_wrapper"]
FUNCTIONS += ["async_chat", "simple_producer"]

data = st.tuples(
    st.sampled_from(["", "0a", "780a79", "00ff", "61" * 70]), st.sampled_from([1, 1500])
)
simple = st.one_of(
    st.sampled_from(NUMBERS).map(lambda n: ["int", n]),
    st.sampled_from(FLOATS).map(lambda x: ["float", x]),
    st.sampled_from([None, True, False]).map(lambda c: ["constant", c]),
    st.sampled_from(["", "x", "latin-1", "\n", "\u20ac", "no/such/file"]).map(
        lambda s: ["text", s]
    ),
    st.tuples(st.sampled_from(["bytes", "bytearray", "memoryview", "released", "wide"]), data).map(
        lambda pair: [pair[0], *pair[1]]
    ),
    st.sampled_from(["complex", "function", "class", "type", "ellipsis"]).map(
        lambda m: ["made", m]
    ),
    st.sampled_from(["open", "closed"]).map(lambda s: ["socket", s]),
    st.sampled_from(["channel", "map", "cls", "other"]).map(lambda name: ["stage", name]),
)
odd = st.tuples(
    st.sampled_from(sorted(BASES)),
    simple,
    st.dictionaries(st.sampled_from(METHODS), st.sampled_from(sorted(WAYS)), max_size=3),
).map(lambda parts: ["odd", *parts])
value = st.one_of(
    simple,
    odd,
    st.tuples(
        st.sampled_from(["list", "tuple", "deque", "set"]), st.lists(simple | odd, max_size=3)
    ).map(list),
)
values = st.lists(value, max_size=2).map(lambda chosen: [chosen])
one = value.map(lambda chosen: [[chosen]])


def action(what, *parts):
    return st.tuples(*parts).map(lambda made: [what, *made[:-1], *made[-1]])


# select and poll2 of 3.11 take fewer keys: docs/differences.md.
key = simple.filter(lambda spec: spec[0] not in ("socket", "stage") and spec[-1] not in NUMBERS[6:])
text = st.sampled_from(["", "00", "780a79", "0a", "6161"]).map(lambda digits: ["bytes", digits, 1])
no_wait = st.sampled_from([["int", 0], ["float", "0.001"]])
once = st.sampled_from([["int", 1], ["int", 0], ["constant", True], ["float", "nan"]])
shared = st.just(["stage", "map"])
passes = action("pass", st.booleans(), st.integers(1, 2), st.just([[]]))
arrives = action("arrives", st.sampled_from(["78", "0a", "780a790a7a"]), st.just([[]]))
place = st.sampled_from(["instance", "class"])
buffers = st.sampled_from(["out_buffer", "producer_fifo", "ac_in_buffer", "incoming", "terminator"])
container = st.one_of(
    st.tuples(st.sampled_from(["deque", "list"]), st.lists(value, min_size=1, max_size=3)).map(
        list
    ),
    st.tuples(
        st.sampled_from(["deque", "bytes", "bytearray", "list"]),
        st.sampled_from([["bytes", "780a79", 1], ["bytes", "780a79", 3000]]),
        st.dictionaries(st.sampled_from(METHODS), st.sampled_from(sorted(WAYS)), max_size=2),
    ).map(lambda parts: ["odd", *parts]),
)
calls = st.one_of(
    action("method", st.sampled_from(COMMON + CHAT), values),
    action("function", st.sampled_from(FUNCTIONS), values),
    action(
        "unbound",
        st.sampled_from(["plain", "sender", "chat"]),
        st.sampled_from(["recv", "send", "push", "handle_read", "initiate_send", "_get_data"]),
        values,
    ),
    action(
        "function",
        st.sampled_from(["poll", "poll2"]),
        st.tuples(value | no_wait, value | shared | shared).map(lambda v: [[*v]]),
    ),
    action(
        "function",
        st.just("loop"),
        st.one_of(
            st.tuples(no_wait, value, shared, once), st.tuples(no_wait, no_wait, value, once)
        ).map(lambda v: [[*v]]),
    ),
    action("key", key.map(lambda chosen: [[chosen]])),
    action("entry", one),
    action("function", st.just("find_prefix_at_end"), st.tuples(text, text).map(lambda v: [[*v]])),
)
sends = action("method", st.sampled_from(["push", "send", "initiate_send"]), values)
# What is put on a channel is used before the next thing is.
scenes = st.one_of(
    st.tuples(calls),
    st.tuples(calls, passes),
    st.tuples(action("delete", st.sampled_from(ATTRIBUTES), st.just([[]])), arrives, passes),
    st.tuples(action("set", st.sampled_from(ATTRIBUTES), place, one), arrives, passes, calls),
    st.tuples(
        action("set", buffers, place, container.map(lambda v: [[v]])),
        arrives,
        passes,
        sends,
        passes,
    ),
)
program = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["plain", "sender", "chat"]),
        "actions": st.lists(scenes, min_size=1, max_size=3).map(
            lambda some: [*itertools.chain.from_iterable(some)]
        ),
    }
)


class Player:
    """A process that plays programs; a new one after one that crashed."""

    def __init__(self, backend, path):
        self.command = [sys.executable, "-X", "faulthandler", "-W", "ignore", FUZZ / "serve.py"]
        self.command += [backend]
        paths = filter(None, [path, os.environ.get("PYTHONPATH")])
        self.env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
        if backend != "reference":
            self.env["GOASYNCORE_BACKEND"] = backend
        self.process = None
        # A pipe that nobody reads would fill.
        self.err = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115

    def play(self, played):
        if self.process is None:
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(
                self.command, stdin=pipe, stdout=pipe, stderr=self.err, text=True, env=self.env
            )
        line = json.dumps(played)
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            status = self.process.wait()
            self.err.seek(0)
            err = self.err.read()
            self.end()
            pytest.fail(f"status {status} in {line}\n{err[-3000:]}", pytrace=False)
        return json.loads(answer)

    def end(self):
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


@pytest.mark.timeout(times(300, 3600))
def test_arguments_of_every_kind_are_taken_as_pyasyncore_takes_them(peer):
    names = {goasyncore.backend().name, "portable"}
    ours = {name: Player(name, None) for name in sorted(names)}
    theirs = Player("reference", peer)

    @SETTINGS
    @given(program)
    def plays(played):
        answers = {name: player.play(played) for name, player in ours.items()}
        answers["reference"] = theirs.play(played)
        assert all(answer == answers["reference"] for answer in answers.values()), answers

    try:
        plays()
    finally:
        for player in (*ours.values(), theirs):
            player.end()
