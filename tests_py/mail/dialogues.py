"""Dialogues with an SMTPChannel, and what CPython 3.11's replies to them: `recorded.jsonl`.

    python3.11 tests_py/mail/dialogues.py > tests_py/mail/recorded.jsonl

writes it anew. A dialogue is the options of the server and the pieces that a client sends. What
comes of it is a list: for each piece what the channel sent, then what the server was given.
"""

import asyncore
import itertools
import json
import re
import smtpd
import socket
import sys

E, H = b"EHLO client\r\n", b"HELO client\r\n"
M, R, D, END = b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n", b"DATA\r\n", b"\r\n.\r\n"
KINDS = [{}, {"enable_SMTPUTF8": True}, {"decode_data": True}]

COMMANDS = """
HELO|HELO x|EHLO|EHLO x y|NOOP|NOOP x|noop|RSET|RSET x|HELP|HELP x|HELP MAIL|help rcpt|HELP DATA x|
HELP HELO|HELP EHLO|HELP RSET|HELP NOOP|HELP QUIT|HELP VRFY|HELP EXPN|HELP HELP|VRFY|VRFY x|
VRFY <a@b>|VRFY ""|VRFY <>|EXPN|EXPN x|QUIT|QUIT x|DATA|DATA x|MAIL|MAIL x|MAIL FROM|MAIL FROM:|
MAIL FROM:<a@b>|MAIL FROM:<>|RCPT|RCPT x|RCPT TO:|RCPT TO:<c@d>|RCPT TO:<>|RCPT FROM:<a@b>|FOO|
FOO bar|foo|| |\t|  NOOP|NOOP |NOOP\t|STATE|SERVER|TURN|mail from:<a@b>|Rcpt To:<c@d>
""".replace("\n", "").split("|")  # fmt: skip

# Before a command: nothing, a greeting, a sender, a recipient, a message.
STATES = {
    "new": [],
    "helo": [H],
    "ehlo": [E],
    "mail": [E, M],
    "rcpt": [E, M, R],
    "sent": [E, M, R, D, b"text" + END],
}

PARAMETERS = """
SIZE=5|size=+5|SIZE=-1|SIZE=|SIZE|SIZE=x|SIZE=33554432|SIZE=33554433|SIZE=5 SIZE=6|SIZE =5|SIZE=5 |
 SIZE=5|BODY=7BIT|BODY=8BITMIME|body=8bitmime|BODY=BINARYMIME|BODY|BODY=|SMTPUTF8|SMTPUTF8=1|
SMTPUTF8 BODY=8BITMIME|BODY=8BITMIME SMTPUTF8 SIZE=4|BODY=8BITMIME BODY=7BIT|SMTPUTF8 SMTPUTF8|FOO|
FOO=BAR|=BAR|FOO=|F-O=1|F_O|1FOO|AUTH=<>|BODY=7BIT FOO|SIZE=5\tBODY=7BIT|RET=FULL ENVID=1|
SIZE=99999999999999999999
""".replace("\n", "").split("|")  # fmt: skip

ADDRESSES = """
a@b| <a@b>|<a@b> |\t<a@b>|a|<a>|"a b"@c|<"a b"@c>|<@x,@y:a@c>|<a@[1.2.3.4]>|<a@[IPv6:::1]>|
<a@b>(c)|<a@b> (c)|a(c)@b|<a@b>x|<a@b> x|<a@b><c@d>|Foo <a@b>|a@b,c@d|a@b>|a.b@c.d|<postmaster>|<>|
<<a@b>>|< >|@b|<@b>|<a b@c>|a@b@c|ü@b|<ü@b>|<a@ü>|a+b=c@d|<a'b@c>|<"a\\"b"@c>
""".replace("\n", "").split("|")  # fmt: skip

BODIES = [
    b"", b"one", b"one\r\ntwo", b"..", b".one\r\n..two\r\n...", b"one\r\n\r\ntwo\r\n", b"\r\n",
    b"one\ntwo\n.\nthree", b"one\n.\r\ntwo", b"one\r.\rtwo", b"\r\r\n\n", b"one\r\n.\ntwo\n",
    b"\xc3\xa4\r\n\xe2\x82\xac", b"\x00\x01", b"one\r\n .\r\ntwo", b"..\r\n..",
]  # fmt: skip


def line(text):
    return text.encode() + b"\r\n"


def dialogues():
    """Name → options of the server, pieces to send, what process_message() returns."""
    found = {}
    for state, kind, command in itertools.product(STATES, KINDS, COMMANDS):
        if state in ("new", "ehlo") or not kind:
            found[f"{state} {kind} {command!r}"] = kind, [*STATES[state], line(command)], None
    for kind, greeting, words in itertools.product(KINDS, (H, E), PARAMETERS):
        mail = line(f"MAIL FROM:<a@b> {words}")
        found[f"MAIL {kind} {greeting} {words!r}"] = kind, [greeting, mail, R, D, END], None
    for greeting, words in itertools.product((H, E), PARAMETERS):
        rcpt = line(f"RCPT TO:<c@d> {words}")
        found[f"RCPT {greeting} {words!r}"] = {}, [greeting, M, rcpt], None
    for greeting, address in itertools.product((H, E), ADDRESSES):
        mail, rcpt = line(f"MAIL FROM:{address}"), line(f"RCPT TO:{address}")
        found[f"address {greeting} {address!r}"] = {}, [greeting, mail, rcpt, D, END], None
    for kind, body in itertools.product(KINDS, BODIES):
        found[f"body {kind} {body}"] = kind, [E, M, R, D, body + END, b"NOOP\r\n"], None
    for limit, body in itertools.product((0, None, 10), BODIES):
        kind = {"data_size_limit": limit}
        found[f"body {kind} {body}"] = kind, [E, M, R, D, body + END], None
    for length in (9, 10, 11, 12):
        pieces = [bytes([65 + at]) for at in range(length)]
        after = [b"NOOP\r\n", b"x" + END, b"y" + END]
        kind = {"data_size_limit": 10}
        found[f"{length} pieces"] = kind, [E, M, R, D, *pieces, END, *after], None
    for kind, greeting, length in itertools.product(KINDS, (H, E), (512, 513, 538, 539, 548, 549)):
        for word in ("NOOP", "FOO", "MAIL FROM:<a@b>"):
            long = line(word + " " * (length - len(word)))
            found[f"{word} {kind} {greeting} {length}"] = kind, [greeting, long, b"NOOP\r\n"], None
    for answer in (None, "", "250 Fine", "550 No", "450-a\r\n450 b", "250 ü", 0, b"250", 7):
        found[f"answer {answer!r}"] = {}, [E, M, R, D, b"text" + END, b"RSET\r\n"], answer
    found.update(others())
    return found


def others():
    utf8 = {"enable_SMTPUTF8": True}
    sender = line("MAIL FROM:<ü@b> SMTPUTF8")
    texts = {"decode_data": True}
    return {
        "letters": ({}, [bytes([b]) for b in E + M + R + D + b"a" + END + b"QUIT\r\n"], None),
        "pipelined": ({}, [E, M + R + R + D, b"a" + END + M + R + D, b"b" + END], None),
        "all at once": ({}, [E + M + R + D + b"a" + END + b"NOOP\r\nQUIT\r\n"], None),
        "after QUIT": ({}, [b"QUIT\r\nNOOP\r\n"], None),
        "two messages": ({}, [E, M, R, D, b"a" + END, M, R, D, b"b" + END], None),
        "message without body": ({}, [E, M, R, D, b".\r\n", b"NOOP" + END], None),
        "reset in a mail": ({}, [E, M, R, b"RSET\r\n", R, M, R, D, b"x" + END], None),
        "utf-8 in a reply": (utf8, [E, sender, line("FÖO"), b"RSET\r\n", line("FÖO")], None),
        "utf-8 answer": (utf8, [E, sender, R, D, b"x" + END], "250 ü"),
        "utf-8 sender": (utf8, [E, sender, line("RCPT TO:<ä@ö>"), D, b"x" + END], None),
        "not utf-8": ({}, [E, b"NOOP \xff\r\n"], None),
        "not utf-8 as text": (texts, [E, M, R, D, b"\xff" + END], None),
        "long and empty lines": ({}, [b"x" * 600, b"\r\n", b"\r\n", b"NOOP\r\n"], None),
        "very long line": ({}, [b"x" * 50000, b"y" * 50000, b"\r\nNOOP\r\n"], None),
        "bare newlines": ({}, [b"NOOP\nNOOP\n", b"NOOP\r\n"], None),
        "bare returns": ({}, [b"NOOP\rNOOP\r", b"\nNOOP\r\n"], None),
        "half a line": ({}, [b"NOO", b"P\r", b"\n"], None),
        "size refused, then taken": (
            {"data_size_limit": 5},
            [E, line("MAIL FROM:<a@b> SIZE=6"), line("MAIL FROM:<a@b> SIZE=5"), R, D, b"x" + END],
            None,
        ),
    }


class Server(smtpd.SMTPServer):
    answer = None

    def process_message(self, *args, **kwargs):
        self.given.append(repr((args[1:], kwargs)))
        return self.answer


class Client:
    """The far end of a channel; both are in this thread."""

    def __init__(self, options, channel_class=smtpd.SMTPChannel, server_class=Server):
        self.map = {}
        self.server = server_class(("127.0.0.1", 0), None, map=self.map, **options)
        self.server.given = []
        near, self.socket = socket.socketpair()
        self.socket.setblocking(False)
        self.errors = []
        self.channel = channel_class(self.server, near, ("192.0.2.7", 25), map=self.map, **options)
        self.channel.log_info = self.note

    def note(self, message, kind="info"):
        kinds = re.findall(r"<class '[\w.]*?(\w+)'>:", message)
        # Which one it is that the email package's parser fails with depends on its version.
        parser = {"HeaderParseError", "IndexError"}
        self.errors.append("parser's" if set(kinds) & parser else kinds[0])

    def send(self, data):
        try:
            self.socket.send(data)
        except OSError:
            return  # the channel has closed
        for _ in range(2 + len(data) // 65536):
            asyncore.loop(timeout=0, map=self.map, count=1)

    def receive(self):
        """What has come, and END where that was all."""
        parts = []
        try:
            while part := self.socket.recv(65536):
                parts.append(part.decode("latin-1"))
            parts.append("END")
        except OSError:
            pass
        return "".join(parts)

    def close(self):
        asyncore.close_all(self.map)
        self.socket.close()


def play(options, pieces, answer):
    """Send the pieces, and return what came of it."""
    client = Client(options)
    client.server.answer = answer
    try:
        said = [client.receive()]
        for piece in pieces:
            client.send(piece)
            said.append(client.receive())
            if said[-1].endswith("END"):
                break
        return [*said, *client.server.given, *client.errors]
    finally:
        client.close()


def without_fqdn(play=play):
    """play(), on a machine whose name is always the same."""

    def named(*dialogue):
        real, socket.getfqdn = socket.getfqdn, lambda *name: "mail.example"
        try:
            return play(*dialogue)
        finally:
            socket.getfqdn = real

    return named


def load(text):
    return dict(json.loads(row) for row in text.splitlines())


if __name__ == "__main__":
    for name, dialogue in dialogues().items():
        print(json.dumps([name, without_fqdn()(*dialogue)], ensure_ascii=False))
    print(len(dialogues()), "dialogues", file=sys.stderr)
