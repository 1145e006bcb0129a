"""What DebuggingServer prints, and what PureProxy hands on."""

import io
import smtpd
import smtplib

import pytest

MESSAGE = "Subject: x\nTo: y\n\nbody\n\nend"


def printed(capsys, peer, data, **options):
    with_map = {}
    server = smtpd.DebuggingServer(("127.0.0.1", 0), None, map=with_map)
    assert server.process_message(peer, "a@b", ["c@d"], data, **options) is None
    server.close()
    return capsys.readouterr().out.splitlines()


def test_debugging_server_prints_text(capsys):
    assert printed(capsys, ("::1", 5), MESSAGE) == [
        "---------- MESSAGE FOLLOWS ----------",
        *("Subject: x", "To: y", "X-Peer: ::1", "", "body", "", "end"),
        "------------ END MESSAGE ------------",
    ]


def test_debugging_server_prints_bytes_as_such(capsys):
    options = {"mail_options": ["BODY=8BITMIME"], "rcpt_options": ["X"]}
    assert printed(capsys, ("::1", 5), b"a: b\n\n\xff", **options) == [
        "---------- MESSAGE FOLLOWS ----------",
        *("mail options: ['BODY=8BITMIME']", "rcpt options: ['X']", ""),
        *("b'a: b'", "b'X-Peer: ::1'", "b''", "b'\\xff'"),
        "------------ END MESSAGE ------------",
    ]
    assert printed(capsys, ("::1", 5), b"", mail_options=["A"], rcpt_options=[])[1:-1] == [
        "mail options: ['A']"
    ]


class Relay:
    """Stands for smtplib.SMTP."""

    fails, calls = None, []

    def connect(self, *args):
        self.calls.append(("connect", *args))

    def sendmail(self, *args):
        self.calls.append(("sendmail", *args))
        if self.fails:
            raise self.fails
        return {}

    def quit(self):
        self.calls.append(("quit",))


@pytest.fixture
def debug(monkeypatch):
    monkeypatch.setattr(smtpd, "DEBUGSTREAM", io.StringIO())
    return smtpd.DEBUGSTREAM


@pytest.fixture
def relay(monkeypatch):
    monkeypatch.setattr(smtplib, "SMTP", type("Relay", (Relay,), {"calls": []}))
    return smtplib.SMTP


@pytest.mark.parametrize(
    "message, handed_on",
    [
        (MESSAGE, "Subject: x\nTo: y\nX-Peer: here\n\nbody\n\nend"),
        ("a: b", "a: b\nX-Peer: here"),
        ("", "X-Peer: here\n"),
    ],
)
def test_proxy_hands_a_message_on(relay, channels, debug, message, handed_on):
    proxy = smtpd.PureProxy(("127.0.0.1", 0), ("there", 25), map=channels, decode_data=True)
    assert proxy.process_message(("here", 1), "a@b", ["c@d"], message) is None
    sent = ("sendmail", "a@b", ["c@d"], handed_on)
    assert relay.calls == [("connect", "there", 25), sent, ("quit",)]
    assert debug.getvalue().endswith("we got some refusals: {}\n")


@pytest.mark.parametrize(
    "error, refused",
    [
        (smtplib.SMTPRecipientsRefused({"x": (1, b"no")}), {"x": (1, b"no")}),
        (smtplib.SMTPResponseException(451, b"no"), dict.fromkeys("xy", (451, b"no"))),
        (smtplib.SMTPServerDisconnected("gone"), dict.fromkeys("xy", (-1, "ignore"))),
        (ConnectionRefusedError(111, "no"), dict.fromkeys("xy", (-1, "ignore"))),
    ],
)
def test_proxy_tells_who_was_refused(relay, channels, debug, error, refused):
    relay.fails = error
    proxy = smtpd.PureProxy(("127.0.0.1", 0), ("there", 25), map=channels)
    assert proxy._deliver("a", ["x", "y"], "text") == refused
    assert relay.calls[-1] == ("quit",)
    assert debug.getvalue().splitlines()[-1].startswith("got ")


def test_proxy_supports_no_smtputf8(channels):
    with pytest.raises(ValueError, match=r"PureProxy does not support SMTPUTF8\."):
        smtpd.PureProxy(("127.0.0.1", 0), None, map=channels, enable_SMTPUTF8=True)
    smtpd.PureProxy(("127.0.0.1", 0), None, map=channels, enable_SMTPUTF8=False)
