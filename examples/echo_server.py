"""An echo server: python echo_server.py [PORT]   (0 selects a free port)."""

import asyncore
import sys


class EchoHandler(asyncore.dispatcher_with_send):
    """One client: sends back what it receives."""

    def handle_read(self):
        data = self.recv(8192)
        if data:
            self.send(data)


class EchoServer(asyncore.dispatcher):
    """Listens, and makes an EchoHandler for each connection."""

    def __init__(self, host, port):
        super().__init__()
        self.create_socket()
        self.set_reuse_addr()
        self.bind((host, port))
        self.listen(5)

    def handle_accepted(self, sock, addr):
        EchoHandler(sock)


if __name__ == "__main__":
    server = EchoServer("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
    host, port = server.socket.getsockname()
    print(f"listening on {host}:{port}", flush=True)
    asyncore.loop()
