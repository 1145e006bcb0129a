"""A mail server for tests, written with annotations."""

import asyncore
import smtpd
import smtplib
import threading
from typing import Any


class Channel(smtpd.SMTPChannel):
    command_size_limit = 1000

    def smtp_NOOP(self, arg: str) -> None:
        self.push(f"250 OK {arg or 'nothing'}")

    def smtp_STATE(self, arg: str) -> None:
        self.push(f"250 {self.smtp_state} {self.seen_greeting} {len(self.rcpttos)}")


class Server(smtpd.SMTPServer):
    channel_class = Channel

    def __init__(self, channels: dict[int, Any]) -> None:
        super().__init__(("127.0.0.1", 0), ("127.0.0.1", 25), data_size_limit=1000, map=channels)
        self.got: list[bytes] = []

    def process_message(
        self, peer: tuple[str, int], mailfrom: str, rcpttos: list[str], data: bytes, **kwargs: Any
    ) -> str | None:
        self.got.append(data)
        return "250 Taken" if peer[0] and mailfrom and rcpttos else None


class Text(smtpd.SMTPServer):
    def process_message(
        self, peer: object, mailfrom: str, rcpttos: list[str], data: str
    ) -> str | None:
        return data.upper()


def main() -> None:
    channels: dict[int, Any] = {}
    server = Server(channels)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            asyncore.loop(timeout=0.05, map=channels, count=1)

    thread = threading.Thread(target=serve)
    thread.start()
    host, port = server.socket.getsockname()
    with smtplib.SMTP(host, port, timeout=20) as client:
        client.sendmail("a@b.example", ["c@d.example"], "Subject: x\r\n\r\nbody")
        assert client.docmd("NOOP", "x") == (250, b"OK x")
    ended.set()
    thread.join()
    asyncore.close_all(channels)
    assert server.got == [b"Subject: x\n\nbody"]


main()
