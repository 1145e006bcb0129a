"""smtplib sends mail to a server of smtpd's, which runs in another thread."""

import asyncore
import smtpd
import smtplib
import socket
import threading
from email.message import EmailMessage

import pytest
from support import LIMIT

BIG = 30 << 20


class Server(smtpd.SMTPServer):
    def __init__(self, **options):
        self.got = []
        super().__init__(("127.0.0.1", 0), None, map={}, **options)

    def process_message(self, peer, mailfrom, rcpttos, data, **kwargs):
        self.got.append((mailfrom, rcpttos, data, kwargs))


@pytest.fixture
def serve():
    """serve(**options): a server, and the loop over its map in a thread."""
    threads = []

    def start(kind=Server, **options):
        server = kind(**options)
        server.failures = []

        def run():
            while not over.is_set():
                asyncore.loop(timeout=0.05, map=server._map, count=1)
            asyncore.close_all(server._map)

        over = threading.Event()
        thread = threading.Thread(target=run)
        threads.append((over, thread))
        server.address = server.socket.getsockname()
        thread.start()
        return server

    yield start
    for over, thread in threads:
        over.set()
        thread.join(LIMIT)
        assert not thread.is_alive()


def connect(server):
    return smtplib.SMTP(*server.address, timeout=LIMIT)


def test_extensions_that_a_server_offers(serve):
    server = serve(data_size_limit=12345, enable_SMTPUTF8=True)
    with connect(server) as client:
        client.ehlo()
        assert client.has_extn("8bitmime")
        assert client.has_extn("smtputf8")
        assert client.esmtp_features["size"] == "12345"
        assert client.helo() == (503, b"Duplicate HELO/EHLO")


def test_message_arrives(serve):
    server = serve()
    body = "Subject: x\r\n\r\n.leading\r\n..dots\r\nend\r\n"
    with connect(server) as client:
        assert client.sendmail("a@b", ["c@d", "e@f"], body, ["BODY=8BITMIME"]) == {}
        assert client.verify("c@d")[0] == 252
        assert client.noop() == (250, b"OK")
    mailfrom, rcpttos, data, options = server.got[0]
    assert (mailfrom, rcpttos) == ("a@b", ["c@d", "e@f"])
    assert data == b"Subject: x\n\n.leading\n..dots\nend"
    assert options["mail_options"] == [f"SIZE={len(body)}", "BODY=8BITMIME"]


def test_message_in_another_alphabet(serve):
    server = serve(enable_SMTPUTF8=True)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ä@b.example", "ö@d.example", "ü€"
    message.set_content("ß")
    with connect(server) as client:
        assert client.send_message(message) == {}
    mailfrom, rcpttos, data, options = server.got[0]
    assert (mailfrom, rcpttos) == ("ä@b.example", ["ö@d.example"])
    assert "Subject: ü€".encode() in data
    assert "SMTPUTF8" in options["mail_options"]


def test_large_message(serve):
    server = serve()
    text = b"".join(b"%070d\r\n" % number for number in range(BIG // 72))
    with connect(server) as client:
        assert client.sendmail("a@b", ["c@d"], text) == {}
    assert server.got[0][2] == text.replace(b"\r\n", b"\n")[:-1]


def test_message_that_is_too_large_is_refused_by_its_announced_size(serve):
    server = serve(data_size_limit=1000)
    with connect(server) as client, pytest.raises(smtplib.SMTPSenderRefused) as refused:
        client.sendmail("a@b", ["c@d"], "x" * 2000)
    assert refused.value.smtp_code == 552
    assert server.got == []


def test_pipelined_commands(serve):
    server = serve()
    mail = b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\none\r\n.\r\n"
    with socket.create_connection(server.address, timeout=LIMIT) as client:
        client.sendall(b"EHLO x\r\n" + mail * 20 + b"QUIT\r\n")
        said = b"".join(iter(lambda: client.recv(65536), b""))
    assert said.count(b"354 ") == 20
    assert said.endswith(b"221 Bye\r\n")
    assert [got[2] for got in server.got] == [b"one"] * 20


def test_client_that_leaves_in_the_middle_of_a_message(serve):
    server = serve()
    with socket.create_connection(server.address, timeout=LIMIT) as client:
        client.sendall(b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhalf\r\n")
        said = b""
        while b"354 " not in said:
            said += client.recv(65536)
    with connect(server) as client:  # the others are served
        client.sendmail("a@b", ["c@d"], "whole")
    assert [got[2] for got in server.got] == [b"whole"]
    deadline = threading.Event()
    for _ in range(int(LIMIT / 0.01)):
        if len(server._map) == 1 or deadline.wait(0.01):
            break
    assert list(server._map.values()) == [server]


def test_two_clients_take_turns(serve):
    server = serve(decode_data=True)
    with connect(server) as one, connect(server) as other:
        for client in one, other:
            client.ehlo()
            client.mail(f"{client.sock.fileno()}@b")
            client.rcpt("c@d")
        one.data("one")
        other.data("other")
    assert [got[2] for got in server.got] == ["one", "other"]


def test_proxy_hands_on_to_another_server(serve):
    last = serve()

    class Proxy(smtpd.PureProxy):
        def __init__(self):
            super().__init__(("127.0.0.1", 0), last.address, map={}, decode_data=True)

    with connect(serve(Proxy)) as client:
        assert client.sendmail("a@b", ["c@d"], "Subject: x\r\n\r\n.body") == {}
    assert last.got[0][:3] == ("a@b", ["c@d"], b"Subject: x\nX-Peer: 127.0.0.1\n\n.body")


def test_line_that_ends_in_a_newline_alone_ends_no_message(serve):
    server = serve()
    with connect(server) as client:
        client.ehlo()
        client.mail("a@b")
        client.rcpt("c@d")
        client.docmd("DATA")
        hidden = b"text\n.\nMAIL FROM:<evil@b>\nRCPT TO:<c@d>\nDATA\nhidden\r\n.\nx\n.\r\n"
        client.send(hidden + b"\r\n.\r\n")
        assert client.getreply() == (250, b"OK")
    assert len(server.got) == 1
    assert server.got[0][0] == "a@b"
