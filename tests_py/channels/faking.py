"""A channel over a socket that answers as it is told to."""

from support import FakeSocket, Recorder


class Closing(Recorder):
    def handle_close(self):
        self.note("close")


def fake(channels, kind=Closing, **answers):
    return kind(FakeSocket(**answers), channels)
