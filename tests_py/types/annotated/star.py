"""What a star import gives."""

import socket as sockets
from asynchat import *
from asyncore import *


class Closer(dispatcher_with_send):
    def handle_read(self) -> None:
        if not self.recv(10):
            raise ExitNow()

    def handle_close(self) -> None:
        self.close()


class Chat(async_chat):
    def collect_incoming_data(self, data: bytes) -> None:
        self._collect_incoming_data(data)

    def found_terminator(self) -> None:
        self.push_with_producer(simple_producer(self._get_data()))


def main() -> None:
    near, far = sockets.socketpair()
    closer: dispatcher = Closer(near)
    far.close()
    try:
        loop(timeout=1.0, map=socket_map)
    except ExitNow:
        print("left", errorcode[EWOULDBLOCK], time.time(), os.name, sys.platform)
    if closer.connected:
        raise SystemExit("still connected")
    close_all(socket_map)


if __name__ == "__main__":
    main()
