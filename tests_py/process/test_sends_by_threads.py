"""Other threads send through channels of a loop: each byte goes out once, in its order.

Each of these programs does so on 3.11 as well.
"""

import asynchat
import asyncore
import ssl
import threading
import time

import pytest
from looping import run_threads
from support import LIMIT, pair, receive_exactly

pytestmark = pytest.mark.usefixtures("repeated")


def test_what_another_thread_sends_is_sent_once(loop, closing):
    """Its send is in the middle, without the GIL, while the loop waits."""

    class Slow(asyncore.dispatcher_with_send):
        def initiate_send(self):
            sent = asyncore.dispatcher.send(self, self.out_buffer[:65536])
            time.sleep(0.0005)
            self.out_buffer = self.out_buffer[sent:]

    near, far = closing(*pair())
    channel = loop.call(lambda: Slow(near, loop.channels))
    loop.next_pass()
    for number in range(50):
        channel.send(b"%04d" % number)
    assert receive_exactly(far, 200) == b"".join(b"%04d" % number for number in range(50))
    loop.next_pass()
    far.setblocking(False)
    with pytest.raises(BlockingIOError):
        far.recv(1)


def test_workers_that_push_lines_under_a_lock(loop, closing):
    lock = threading.RLock()

    class Chat(asynchat.async_chat):
        def initiate_send(self):
            with lock:
                asynchat.async_chat.initiate_send(self)

        def collect_incoming_data(self, data):
            pass

        def found_terminator(self):
            pass

    near, far = closing(*pair())
    chat = loop.call(lambda: Chat(near, loop.channels))

    def work(name):
        for number in range(100):
            with lock:
                chat.push(b"%d-%03d\n" % (name, number))

    run_threads([lambda name=name: work(name) for name in range(4)])
    loop.next_pass()
    lines = receive_exactly(far, 4 * 100 * 6).splitlines()
    assert [line for line in lines if not line] == []
    for name in range(4):
        mine = [line for line in lines if line.startswith(b"%d-" % name)]
        assert mine == [b"%d-%03d" % (name, number) for number in range(100)]


@pytest.fixture
def contexts(certificate):
    """The server's and the client's."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate)
    return server, ssl.create_default_context(cafile=certificate[0])


def test_another_thread_writes_to_a_tls_channel(loop, closing, contexts):
    """The peer sends nothing, so the loop waits on: each message comes once, in its order."""
    near, far = closing(*pair())
    ends = []

    def shake(context, sock, **how):
        sock.settimeout(LIMIT)
        ends.append(closing(context.wrap_socket(sock, **how)))

    server = threading.Thread(target=shake, args=(contexts[0], far), kwargs={"server_side": True})
    server.start()
    shake(contexts[1], near, server_hostname="localhost")
    server.join(LIMIT)
    (client,) = [end for end in ends if not end.server_side]
    (peer,) = [end for end in ends if end.server_side]
    received = []

    class Tls(asyncore.dispatcher_with_send):
        def handle_read(self):
            try:
                received.append(self.recv(100))
            except ssl.SSLWantReadError:
                pass  # the session's tickets

    channel = loop.call(lambda: Tls(client, loop.channels))
    loop.next_pass()
    expected = b""
    for number in range(100):
        message = b"%04d" % number + b"x" * 96
        channel.send(message)
        expected += message
    assert receive_exactly(peer, len(expected)) == expected
    assert received == []


def test_two_threads_share_an_ssl_object_under_a_lock(loop, closing, contexts):
    lock = threading.RLock()

    class Tls(asyncore.dispatcher_with_send):
        def __init__(self, sock, context, **how):
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = context.wrap_bio(self.incoming, self.outgoing, **how)
            self.received, self.shaken = b"", threading.Event()
            self.expects, self.complete = 0, threading.Event()
            asyncore.dispatcher_with_send.__init__(self, sock, loop.channels)
            self.step()

        def step(self):
            with lock:
                try:
                    if not self.shaken.is_set():
                        self.tls.do_handshake()
                        self.shaken.set()
                    while True:
                        self.received += self.tls.read(9999)
                        if len(self.received) >= self.expects > 0:
                            self.complete.set()
                except ssl.SSLWantReadError:
                    pass
                self.flush()

        def flush(self):
            data = self.outgoing.read()
            if data:
                asyncore.dispatcher_with_send.send(self, data)

        def handle_read(self):
            with lock:
                self.incoming.write(self.recv(65536))
            self.step()

        def handle_write(self):
            with lock:
                self.initiate_send()

        def put(self, data):
            with lock:
                self.tls.write(data)
                self.flush()

    near, far = pair()
    server = loop.call(lambda: Tls(far, contexts[0], server_side=True))
    client = loop.call(lambda: Tls(near, contexts[1], server_hostname="localhost"))
    assert client.shaken.wait(LIMIT) and server.shaken.wait(LIMIT)
    server.expects = 400
    for number in range(100):
        client.put(b"%04d" % number)
    assert server.complete.wait(LIMIT)
    assert server.received == b"".join(b"%04d" % number for number in range(100))
