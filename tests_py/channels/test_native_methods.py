"""The engine's own recv(), send() and push() do what the Python methods they stand for do."""

import array
import asynchat
import asyncore
import errno
import inspect
import socket
import textwrap
import types

import pytest
from support import FakeSocket, full, pair, run_python

pytestmark = pytest.mark.ours_only("3.11 has one of each method")

DATA = [
    b"", b"hello", bytearray(b"hello"), memoryview(b"hello"), memoryview(b"h-e-l")[::2],
    array.array("i", [1, 2]), "text", 5, None, [1], b"x" * 70_000, bytearray(70_000),
]  # fmt: skip
SIZES = [0, 1, 3, 65536, 1 << 20, -1, 1 << 62, 1 << 70, -(1 << 70), True, 2.5, "3", None]
CALLS = [(), (b"a", b"b")]


@pytest.fixture(autouse=True)
def loaded():
    import goasyncore

    if goasyncore.backend().name != "native":
        pytest.skip("the portable backend has the Python methods alone")
    # The first channel of a kind brings its methods.
    near, far = pair()
    channels = {}
    asynchat.async_chat(near, channels)
    asyncore.loop(0, False, channels, 1)
    near.close()
    far.close()


def python_methods():
    chosen = {}
    for cls, functions in (
        (asyncore.dispatcher, asyncore._own_methods[1][:2]),
        (asyncore.dispatcher_with_send, asyncore._own_methods[1][2:4]),
        (asynchat.async_chat, asynchat._own_methods[0]),
    ):
        for function in functions:
            copy = types.FunctionType(function.__code__, function.__globals__)
            chosen[cls, function.__name__] = copy  # it has the Python call alone
    return chosen


class Noting:
    def handle_close(self):
        self.closed = getattr(self, "closed", 0) + 1

    def handle_error(self):
        self.errors = [*getattr(self, "errors", []), asyncore.sys.exc_info()[0]]


class Channel(Noting, asyncore.dispatcher):
    pass


class Sender(Noting, asyncore.dispatcher_with_send):
    pass


class Chat(Noting, asynchat.async_chat):
    pass


class SubSocket(socket.socket):
    pass


def plain(near, far):
    return near


def closed(near, far):
    near.close()
    return near


def peer_closed(near, far):
    far.close()
    return near


def no_room(near, far):
    full(near)
    return near


def timing_out(near, far):
    near.settimeout(0.001)
    return near


def subclass(near, far):
    return SubSocket(fileno=near.detach())


def listening(near, far):
    near.close()
    sock = socket.socket(socket.AF_UNIX)
    sock.bind("")
    sock.listen()
    return sock


def mock(near, far):
    near.close()
    return FakeSocket(recv=b"from a mock", send=3)


def refusing(near, far):
    near.close()
    return FakeSocket(recv=OSError(errno.ECONNRESET, "x"), send=OSError(errno.EPERM, "x"))


STATES = [plain, closed, peer_closed, no_room, timing_out, subclass, listening, mock, refusing]


def outcome(cls, method, state, args, keywords, received):
    near, far = pair()
    near.setblocking(False)
    far.setblocking(False)
    if received:
        far.send(received)
    channel = cls(near, {})
    channel.socket = sock = state(near, far)
    if state not in (timing_out, mock, refusing) and sock.fileno() >= 0:
        sock.setblocking(False)
    try:
        result = method(channel, *args, **keywords)
    except BaseException as why:
        result = type(why), why.args if isinstance(why, OSError) else None
    try:
        sent = far.recv(1 << 20)
    except OSError as why:
        sent = why.errno
    kept = [bytes(memoryview(channel.out_buffer))] if cls is Sender else []
    kept += [bytes(piece) for piece in channel.producer_fifo] if cls is Chat else []
    told = vars(channel).get("closed"), vars(channel).get("errors")
    for each in (sock, far):
        each.close()
    return result, sent, kept, told


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize("name", ["recv", "send", "sender_send", "push"])
def test_same_results_for_every_argument(name, state):
    cls, holder = {
        "recv": (Channel, asyncore.dispatcher),
        "send": (Channel, asyncore.dispatcher),
        "sender_send": (Sender, asyncore.dispatcher_with_send),
        "push": (Chat, asynchat.async_chat),
    }[name]
    method = "send" if name == "sender_send" else name
    python, native = python_methods()[holder, method], getattr(holder, method)
    assert native is not python
    keyword = "buffer_size" if name == "recv" else "data"
    calls = [((value,), {}) for value in (SIZES if name == "recv" else DATA)]
    calls += [((), {keyword: args[0]}) for args, _ in calls[:3]]
    calls += [(args, {}) for args in CALLS] + [((), {"other": b"x"})]
    for args, keywords in calls:
        for received in (b"", b"some data"):
            results = [
                outcome(cls, each, state, args, keywords, received) for each in (python, native)
            ]
            assert results[0] == results[1], (args, keywords, received)


def test_signatures_are_those_of_the_python_methods():
    for (cls, name), function in python_methods().items():
        method = vars(cls)[name]
        assert inspect.signature(method) == inspect.signature(function), name
        assert method.__name__ == name


def test_any_object_may_be_self():
    class Duck:
        socket = FakeSocket(recv=b"quack", send=2)

    assert asyncore.dispatcher.recv(Duck(), 10) == b"quack"
    assert asyncore.dispatcher.send(Duck(), b"abc") == 2


@pytest.mark.parametrize("where", ["subclass", "instance", "class", "later on the base"])
def test_methods_of_the_programs_own_are_used(where, monkeypatch):
    calls = []

    def send(self, data):
        calls.append(data)
        return len(data)

    class Own(Chat):
        pass

    near, far = pair()
    chat = Own(near, {})
    if where == "subclass":
        chat.__class__ = type("Sub", (Own,), {"send": send})
    elif where == "instance":
        chat.send = lambda data: send(chat, data)
    elif where == "class":
        Own.send = send
    else:
        monkeypatch.setattr(asyncore.dispatcher, "send", send)
    chat.push(b"x")
    near.close()
    far.close()
    assert calls == [b"x"]


def test_patched_socket_methods_are_used():
    run_python(
        """
        import asyncore, socket
        near, far = socket.socketpair()
        channels = {}
        class Channel(asyncore.dispatcher_with_send):
            def handle_read(self):
                got.append(self.recv(10))
        got, calls = [], []
        channel = Channel(near, channels)
        asyncore.loop(0, False, channels, 1)
        for name in ("recv", "send"):
            def patched(self, *args, name=name, original=getattr(socket.socket, name)):
                calls.append(name)
                return original(self, *args)
            setattr(socket.socket, name, patched)
        far.send(b"x")
        calls.clear()
        asyncore.loop(0, False, channels, 1)
        channel.send(b"y")
        assert calls == ["recv", "send"] and got == [b"x"], (calls, got)
        channel.close()
        """
    )


def test_classes_are_what_they_were_before_the_first_pass():
    run_python(
        """
        import asyncore, asynchat, functools, inspect, pickle, pydoc, socket, types, unittest.mock

        def seen():
            found = {}
            for cls in (asyncore.dispatcher, asyncore.dispatcher_with_send, asynchat.async_chat):
                for name, value in vars(cls).items():
                    if inspect.isfunction(value):
                        about = (value, id(value.__code__), inspect.signature(value))
                        about += (value.__doc__, value.__qualname__, value.__module__)
                        found[cls.__name__, name] = about
                found[cls.__name__] = dict(vars(cls)), pydoc.render_doc(cls)
            return found, inspect.getsource(asynchat.async_chat), pickle.dumps(asynchat.async_chat)

        def a_pass():
            near, far = socket.socketpair()
            channels = {}
            class Chat(asynchat.async_chat):
                def collect_incoming_data(self, data):
                    self._collect_incoming_data(data)
                def found_terminator(self):
                    self.push(self._get_data())
            chat = Chat(near, channels)
            chat.set_terminator(b"\\n")
            far.send(b"x\\n")
            asyncore.loop(10, False, channels, 1)
            assert far.recv(10) == b"x"

        before = seen()
        a_pass()
        assert seen() == before

        with unittest.mock.patch.object(asyncore.dispatcher, "send", autospec=True) as send:
            send.return_value = 1
            channel = asyncore.dispatcher()
            assert channel.send(b"x") == 1
            send.assert_called_once_with(channel, b"x")
        @functools.wraps(asynchat.async_chat.push)
        def push(*args): pass
        assert push.__wrapped__ is asynchat.async_chat.push
        a_pass()
        assert seen() == before
        """
    )


WAYS = {
    "settrace": """
        def trace(frame, event, argument):
            ran.add(frame.f_code.co_name)
        sys.settrace(trace)
        """,
    "setprofile": "sys.setprofile(lambda frame, *rest: ran.add(frame.f_code.co_name))\n",
    "monitoring": """
        sys.monitoring.use_tool_id(4, "test")
        sys.monitoring.register_callback(4, sys.monitoring.events.PY_START,
                                         lambda code, offset: ran.add(code.co_name))
        sys.monitoring.set_events(4, sys.monitoring.events.PY_START)
        """,
    "new code": """
        def send(self, data):
            ran.add("send")
            return len(data)
        send.__globals__["ran"] = ran
        asyncore.dispatcher.send.__code__ = send.__code__
        asyncore.ran = ran
        ran |= SEEN
        """,
}


@pytest.mark.parametrize("way", WAYS)
def test_tools_see_the_python_functions_run(way):
    code = """
        import asyncore, asynchat, socket, sys
        near, far = socket.socketpair()
        channels = {}
        SEEN = {"recv", "push", "read", "readable", "writable", "handle_read_event"}
        ran = set()
        class Chat(asynchat.async_chat):
            def handle_read(self):
                self.push(self.recv(10))
        Chat(near, channels)
        def a_pass():
            far.send(b"x")
            asyncore.loop(10, False, channels, 1)
        a_pass()
        a_pass()
        assert far.recv(10) == b"xx"
        """
    run_python(
        textwrap.dedent(code)
        + textwrap.dedent(WAYS[way])
        + "\na_pass()\nassert SEEN | {'send'} <= ran, ran\n"
    )


ENDS = [
    ("settrace", "sys.settrace(None)"),
    ("setprofile", "sys.setprofile(None)"),
    ("monitoring", "sys.monitoring.set_events(4, 0); sys.monitoring.free_tool_id(4)"),
    ("monitoring", "sys.monitoring.free_tool_id(4)"),
]


@pytest.mark.parametrize(("way", "end"), ENDS)
def test_no_python_function_runs_once_the_tools_have_gone(way, end):
    """CPython writes into the bytecode of what runs how often it has run."""
    code = """
        import asyncore, socket, sys
        near, far = socket.socketpair()
        channels = {}
        ran = set()
        channel = asyncore.dispatcher(near, channels)
        asyncore.loop(0, False, channels, 1)
        def receive():
            far.send(b"x")
            assert channel.recv(10) == b"x"
        def runs():
            code = asyncore.dispatcher.recv.__code__
            before = code._co_code_adaptive
            for _ in range(50):
                receive()
            return code._co_code_adaptive != before
        assert not runs()
        """
    run_python(
        textwrap.dedent(code)
        + textwrap.dedent(WAYS[way])
        + "receive()\nassert 'recv' in ran, ran\n"
        + end
        + "\nassert not runs()\n"
    )
