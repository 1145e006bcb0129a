"""A TCP proxy: python tcp_proxy.py HOST PORT [LISTEN-PORT]   (0 selects a free port).

Each connection is forwarded to HOST:PORT. If one side reads slowly, the other has to wait, so that
no more than LIMIT bytes of a connection are in memory. The end of one direction is forwarded too.
"""

import asyncore
import socket
import sys

LIMIT = 1 << 18  # bytes


class Side(asyncore.dispatcher):
    """One of the two connections; what it receives goes into its peer's `waiting`."""

    def __init__(self, sock=None):
        self.waiting = bytearray()
        self.peer = None
        self.read_all = False  # it has sent everything
        self.finished = False  # nothing comes after what is waiting
        self.gone = False
        super().__init__(sock)

    def readable(self):
        return self.connected and not self.read_all and len(self.peer.waiting) < LIMIT

    def writable(self):
        return not self.connected or bool(self.waiting)

    def handle_read(self):
        # The socket's own recv(), because the dispatcher's would close both directions at the end.
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            self.handle_close()
            return
        if data:
            self.peer.waiting += data
        else:
            self.read_all = True
            self.peer.finished = True
            self.peer.finish()

    def handle_write(self):
        if self.waiting:
            with memoryview(self.waiting) as view:
                sent = self.send(view[:65536])
            del self.waiting[:sent]
        self.finish()

    def finish(self):
        """Forward the end after all data before it; close when both directions have ended."""
        if self.gone or not self.finished or self.waiting:
            return
        if self.read_all:
            self.close()
            self.peer.finish()
        elif self.connected:
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self.handle_close()

    def close(self):
        self.gone = True
        super().close()

    def handle_close(self):
        self.close()
        self.peer.close()

    def handle_error(self):
        # For example if the connection is refused; then the client's connection ends too.
        self.log_info(f"{sys.exc_info()[1]}", "error")
        self.handle_close()


class Proxy(asyncore.dispatcher):
    """Listens, and opens a connection to the target for each connection."""

    def __init__(self, target, host, port):
        super().__init__()
        self.target = target
        self.create_socket()
        self.set_reuse_addr()
        self.bind((host, port))
        self.listen(100)

    def handle_accepted(self, sock, addr):
        client, server = Side(sock), Side()
        client.peer, server.peer = server, client
        try:
            server.create_socket()
            server.connect(self.target)
        except OSError:
            server.handle_error()


if __name__ == "__main__":
    target = sys.argv[1], int(sys.argv[2])
    proxy = Proxy(target, "127.0.0.1", int(sys.argv[3]) if len(sys.argv) > 3 else 8888)
    host, port = proxy.socket.getsockname()
    print(f"listening on {host}:{port}", flush=True)
    asyncore.loop()
