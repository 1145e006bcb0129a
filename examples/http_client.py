"""Fetches a page and prints the response: python http_client.py HOST [PATH [PORT]]."""

import asyncore
import sys


class HTTPClient(asyncore.dispatcher):
    """Requests one page; collects the whole response, header included, in `response`."""

    def __init__(self, host, path="/", port=80):
        super().__init__()
        request = f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n"
        self.buffer = request.encode("ascii")
        self.response = b""
        self.create_socket()
        self.connect((host, port))

    def handle_connect(self):
        pass

    def handle_close(self):
        self.close()

    def handle_read(self):
        self.response += self.recv(8192)

    def writable(self):
        # Also true until connected: an established connection is reported as writable.
        return not self.connected or len(self.buffer) > 0

    def handle_write(self):
        sent = self.send(self.buffer)
        self.buffer = self.buffer[sent:]


if __name__ == "__main__":
    client = HTTPClient(
        sys.argv[1],
        sys.argv[2] if len(sys.argv) > 2 else "/",
        int(sys.argv[3]) if len(sys.argv) > 3 else 80,
    )
    asyncore.loop()
    sys.stdout.buffer.write(client.response)
