"""Sends a line to an echo server and prints the answer: python echo_client.py HOST PORT [TEXT]."""

import asyncore
import sys


class EchoClient(asyncore.dispatcher_with_send):
    """Sends `message` once connected and closes when all of it has come back into `received`."""

    def __init__(self, host, port, message):
        super().__init__()
        self.message = message
        self.received = b""
        self.create_socket()
        self.connect((host, port))

    def handle_connect(self):
        self.send(self.message)

    def handle_read(self):
        self.received += self.recv(8192)
        if len(self.received) >= len(self.message):
            self.close()

    def handle_close(self):
        self.close()


if __name__ == "__main__":
    text = sys.argv[3] if len(sys.argv) > 3 else "Hello, world"
    client = EchoClient(sys.argv[1], int(sys.argv[2]), text.encode())
    asyncore.loop()
    print(client.received.decode())
