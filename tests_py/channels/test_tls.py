"""A TLS socket swapped in with set_socket() in the middle of a connection."""

import asynchat
import asyncore
import socket
import ssl
import threading

import pytest
from support import LIMIT, Recorder, listener, one_pass, pair, receive_exactly, run_until_empty


@pytest.fixture
def server_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def client_context(certificate):
    return ssl.create_default_context(cafile=certificate[0])


class TlsMixin:
    """Wraps its socket on demand and shakes hands within the loop."""

    shaking = False
    wanted = "r"

    def start_tls(self, context, **options):
        self.del_channel()
        wrapped = context.wrap_socket(self.socket, do_handshake_on_connect=False, **options)
        wrapped.setblocking(False)
        self.set_socket(wrapped)
        self.shaking = True
        self.shake()

    def shake(self):
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self.wanted = "r"
        except ssl.SSLWantWriteError:
            self.wanted = "w"
        else:
            self.shaking = False
            self.handle_tls()

    def readable(self):
        return self.wanted == "r" if self.shaking else super().readable()

    def writable(self):
        return self.wanted == "w" if self.shaking else super().writable()

    def handle_read(self):
        if self.shaking:
            self.shake()
        else:
            try:
                super().handle_read()
            except ssl.SSLWantReadError:
                pass  # a record is not complete, or was no data

    def handle_write(self):
        if self.shaking:
            self.shake()
        else:
            super().handle_write()

    def recv(self, size):
        try:
            return super().recv(size)
        except ssl.SSLWantReadError:
            raise BlockingIOError from None

    def handle_error(self):
        raise


class Lines(TlsMixin, asynchat.async_chat):
    """Talks plain until both sides have said STARTTLS."""

    def __init__(self, sock, channels, context):
        asynchat.async_chat.__init__(self, sock, channels)
        self.context, self.lines = context, []
        self.set_terminator(b"\r\n")
        self.collect_incoming_data = self._collect_incoming_data

    def found_terminator(self):
        self.lines.append(self._get_data())
        self.handle_line(self.lines[-1])


def in_thread(function):
    """Run the blocking side; its outcome is asked for with result()."""
    outcome = {}

    def run():
        try:
            outcome["value"] = function()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result():
        thread.join(LIMIT)
        assert not thread.is_alive()
        if "error" in outcome:
            raise outcome["error"]
        return outcome["value"]

    return result


@pytest.mark.parametrize("size", [10, 200_000])
def test_client_switches_to_tls(use_poll, channels, client_context, server_context, size):
    message = b"m" * size + b"\r\n"

    class Client(Lines):
        def handle_line(self, line):
            if line == b"go ahead":
                self.start_tls(self.context, server_hostname="localhost")
            else:
                self.close()

        def handle_tls(self):
            self.push(message)

    with listener() as server:

        def serve():
            sock, _ = server.accept()
            sock.settimeout(LIMIT)
            with sock:
                assert receive_exactly(sock, 10) == b"STARTTLS\r\n"
                sock.sendall(b"go ahead\r\n")
                with server_context.wrap_socket(sock, server_side=True) as secure:
                    received = receive_exactly(secure, len(message))
                    secure.sendall(received)
                    return received

        result = in_thread(serve)
        client = Client(socket.create_connection(server.getsockname()), channels, client_context)
        client.push(b"STARTTLS\r\n")
        run_until_empty(channels, use_poll)
        assert result() == message
    assert client.lines == [b"go ahead", message[:-2]]


def test_server_switches_to_tls(use_poll, channels, client_context, server_context):
    class Session(Lines):
        def handle_line(self, line):
            if line == b"STARTTLS":
                # The answer has to be on its way before the socket changes hands.
                self.push(b"go ahead\r\n")
                assert not self.producer_fifo
                self.start_tls(self.context, server_side=True)
            else:
                self.push(b"you said " + line + b"\r\n")
                self.close_when_done()

        def handle_tls(self):
            self.secure = self.socket.version()

    sessions = []

    class Server(asyncore.dispatcher):
        def handle_accepted(self, sock, addr):
            sessions.append(Session(sock, channels, server_context))
            self.close()

    server = Server(map=channels)
    server.create_socket()
    server.bind(("127.0.0.1", 0))
    server.listen(1)
    address = server.socket.getsockname()

    def talk():
        with socket.create_connection(address, timeout=LIMIT) as sock:
            sock.sendall(b"STARTTLS\r\n")
            assert receive_exactly(sock, 10) == b"go ahead\r\n"
            with client_context.wrap_socket(sock, server_hostname="localhost") as secure:
                secure.sendall(b"hello\r\n")
                return receive_exactly(secure, 16)

    result = in_thread(talk)
    run_until_empty(channels, use_poll)
    assert result() == b"you said hello\r\n"
    assert sessions[0].lines == [b"STARTTLS", b"hello"]
    assert sessions[0].secure.startswith("TLS")


def test_the_map_follows_a_socket_set_in_a_handler(use_poll, channels, closing):
    """set_socket() puts the channel under the new number; removing the old entry is not its."""
    (near, far), (second, second_far) = pair(), pair()
    closing(near, far, second_far)
    far.send(b"x")

    class Swapping(Recorder):
        def handle_read(self):
            self.note(self._fileno)
            if self.socket is near:
                self.del_channel()
                self.set_socket(second)

    channel = Swapping(near, channels)
    fds = near.fileno(), second.fileno()
    one_pass(use_poll, channels)
    assert channels == {second.fileno(): channel}
    second_far.send(b"x")
    one_pass(use_poll, channels)
    assert channel.events == [*fds]
