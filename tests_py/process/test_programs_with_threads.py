"""Programs of one thread that loops and others that use its channels, as old code has them.

Each holds on 3.11 as well. Where two threads may not use a channel at once, the programs have a
lock; what another thread changes during a wait is complete before the wait ends.
"""

import asyncore
import queue
import socket
import threading
import time

import pytest
from looping import WAIT, Echo, Loop, run_threads
from support import LIMIT, Recorder, pair, receive_exactly, until_it_waits

pytestmark = pytest.mark.usefixtures("repeated")


class Server(asyncore.dispatcher):
    def __init__(self, kind, channels):
        asyncore.dispatcher.__init__(self, socket.create_server(("127.0.0.1", 0)), channels)
        self.accepting = True
        self.kind = kind
        self.address = self.socket.getsockname()

    def handle_accepted(self, sock, address):
        self.kind(sock, self._map)


def test_clients_are_made_and_used_through_a_trigger(loop):
    server = loop.call(lambda: Server(Echo, loop.channels))
    answers = queue.SimpleQueue()

    class Client(asyncore.dispatcher_with_send):
        def __init__(self):
            asyncore.dispatcher_with_send.__init__(self, None, loop.channels)
            self.create_socket()
            self.connect(server.address)

        def handle_read(self):
            answers.put(self.recv(8192))

    clients = [loop.call(Client) for _ in range(5)]
    for number in range(50):
        loop.call(lambda number=number: clients[number % 5].send(b"%d;" % number))
    got = b""
    while got.count(b";") < 50:
        got += answers.get(timeout=LIMIT)
    assert sorted(map(int, got.split(b";")[:-1])) == list(range(50))


def test_threads_do_the_work_and_the_loop_sends_it(loop, closing):
    """As threaded servers on asyncore do."""
    workers = []

    class Working(Echo):
        def handle_read(self):
            data = self.recv(100)
            if data:
                worker = threading.Thread(target=self.work, args=(data,))
                workers.append(worker)
                worker.start()

        def work(self, data):
            time.sleep(0.001)
            loop.call(lambda: self.send(data.upper()))

    server = loop.call(lambda: Server(Working, loop.channels))
    clients = [closing(socket.create_connection(server.address, LIMIT)) for _ in range(10)]
    for client in clients:
        client.sendall(b"abc")
    assert [receive_exactly(client, 3) for client in clients] == [b"ABC"] * 10
    for worker in workers:
        worker.join(LIMIT)


def test_a_stop_event_ends_single_passes(use_poll, channels, closing):
    near, far = closing(*pair())
    Echo(near, channels)
    stop = threading.Event()
    passes = []

    def serve():
        while not stop.is_set():
            asyncore.loop(0.05, use_poll, channels, 1)
            passes.append(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    far.sendall(b"abc")
    assert receive_exactly(far, 3) == b"abc"
    stop.set()
    thread.join(LIMIT)
    assert not thread.is_alive()
    assert passes


def test_close_all_in_another_thread_ends_the_loop(use_poll, closing):
    """Which stays in its wait until something ends that."""
    channels, asked = {}, threading.Event()
    for _ in range(10):
        near, far = pair()
        closing(far)
        Echo(near, channels)
    bell_near, bell = closing(*pair())
    Recorder(bell_near, channels)
    channels[near.fileno()].readable = lambda: asked.set() or True
    failures = []

    def serve():
        try:
            asyncore.loop(WAIT, use_poll, channels)
        except BaseException as why:
            failures.append(why)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert asked.wait(LIMIT)
    until_it_waits(thread)
    del channels[bell_near.fileno()]  # the one that can still end the wait
    asyncore.close_all(channels)
    bell.send(b"x")
    thread.join(LIMIT)
    assert not thread.is_alive()
    assert failures == []


def test_a_reaper_closes_idle_channels_during_a_wait(loop, closing):
    idle = []
    for _ in range(8):
        near, far = pair()
        closing(far)
        idle.append(loop.call(lambda near=near: Recorder(near, loop.channels)))
    loop.next_pass()
    run_threads([lambda: [channel.close() for channel in idle]])
    loop.next_pass()
    assert list(loop.channels.values()) == [loop.trigger]
    assert [channel.events for channel in idle] == [[]] * 8


def test_a_socket_closed_before_its_channel_leaves_is_no_bad_descriptor(loop, closing):
    """Both during one wait."""
    near, far = pair()
    closing(far)
    channel = loop.call(lambda: Recorder(near, loop.channels))
    channel.handle_close = int  # Linux's poll(2) reports the end when it comes
    loop.next_pass()
    channel.wants = ""
    channel.socket.close()
    channel.del_channel()
    loop.next_pass()
    assert loop.raised is None


def test_another_thread_sets_another_socket(loop, closing):
    (near, far), (new, new_far) = pair(), pair()
    closing(near, far, new_far)
    channel = loop.call(lambda: Echo(near, loop.channels))
    loop.next_pass()
    channel.del_channel()
    channel.set_socket(new, loop.channels)
    new_far.send(b"new")
    far.send(b"old")
    loop.next_pass()
    assert receive_exactly(new_far, 3) == b"new"
    far.setblocking(False)
    with pytest.raises(BlockingIOError):
        far.recv(10)


def test_a_connection_goes_from_one_threads_loop_to_anothers(loop, use_poll, closing):
    other = Loop(not use_poll)
    near, far = pair()
    closing(far)
    channel = loop.call(lambda: Echo(near, loop.channels))
    here, there = loop, other
    try:
        for number in range(10):
            message = b"%08d" % number
            far.sendall(message)
            assert receive_exactly(far, 8) == message
            here.call(lambda here=here: channel.del_channel(here.channels))
            there.call(lambda there=there: channel.set_socket(near, there.channels))
            here, there = there, here
    finally:
        other.end()


def test_two_loops_over_one_map_tell_no_event_twice(use_poll, channels, closing):
    """Each byte is answered once, whichever loop gets it."""
    done = threading.Event()

    class Careful(Echo):
        def handle_read(self):
            try:
                data = self.recv(8192)
            except BlockingIOError:
                return  # the other loop was first
            if data:
                self.socket.sendall(data)

    fars = []
    for _ in range(5):
        near, far = closing(*pair())
        fars.append(far)
        Careful(near, channels)

    def serve():
        while not done.is_set():
            asyncore.loop(0.02, use_poll, channels, 5)

    def ask():
        for far in fars * 4:
            far.sendall(b"x" * 100)
            assert receive_exactly(far, 100) == b"x" * 100
        done.set()

    run_threads([serve, serve, ask])
    for far in fars:
        far.setblocking(False)
        with pytest.raises(BlockingIOError):
            far.recv(1)


def test_clients_of_another_thread_come_and_go(use_poll, closing):
    """Made, answered and closed within passes of a loop that waits shortly."""
    loop = Loop(use_poll)
    server = loop.call(lambda: Server(Echo, loop.channels))
    for number in range(30):
        with socket.create_connection(server.address, LIMIT) as client:
            client.sendall(b"%04d" % number)
            assert receive_exactly(client, 4) == b"%04d" % number
    loop.end()


def test_another_thread_replaces_the_global_map(use_poll, closing, monkeypatch):
    """A loop stays with the map that it began with."""
    first, second = {}, {}
    monkeypatch.setattr(asyncore, "socket_map", first)
    (near, far), (new, new_far) = pair(), pair()
    closing(far, new_far)
    channel = Echo(near)
    thread = threading.Thread(target=asyncore.loop, args=(WAIT, use_poll), daemon=True)
    thread.start()
    far.send(b"x")
    assert receive_exactly(far, 1) == b"x"
    monkeypatch.setattr(asyncore, "socket_map", second)
    unserved = Echo(new)
    assert unserved._map is second
    new_far.send(b"y")
    far.send(b"x")
    assert receive_exactly(far, 1) == b"x"
    new_far.setblocking(False)
    with pytest.raises(BlockingIOError):
        new_far.recv(1)
    assert channel._map is first
    far.close()  # the echo closes itself then
    thread.join(LIMIT)
    assert not thread.is_alive()
    unserved.close()
