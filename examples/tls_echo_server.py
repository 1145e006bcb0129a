"""An echo server over TLS: python tls_echo_server.py CERTIFICATE KEY [PORT]   (PEM files).

A certificate to try it with:
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout KEY -out CERTIFICATE
"""

import asyncore
import contextlib
import ssl
import sys


class TLSEchoHandler(asyncore.dispatcher_with_send):
    """One client: the loop drives the handshake, and then sends back what it receives."""

    def __init__(self, sock, context):
        sock.setblocking(False)
        super().__init__(context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False))
        self.shaking_hands = True
        self.wants_to_write = False

    def readable(self):
        return not (self.shaking_hands and self.wants_to_write)

    def writable(self):
        return self.wants_to_write if self.shaking_hands else bool(self.out_buffer)

    def handle_read(self):
        if self.shaking_hands:
            self.shake_hands()
            return
        try:
            data = self.recv(8192)
            # The loop cannot see on the socket what TLS has already decrypted.
            while data and self.socket.pending():
                data += self.recv(self.socket.pending())
        except ssl.SSLWantReadError:
            return
        if data:
            self.send(data)

    def handle_write(self):
        if self.shaking_hands:
            self.shake_hands()
        else:
            self.initiate_send()

    def shake_hands(self):
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self.wants_to_write = False
        except ssl.SSLWantWriteError:
            self.wants_to_write = True
        except OSError as why:
            self.log_info(f"no handshake: {why}", "error")
            self.close()
        else:
            self.shaking_hands = self.wants_to_write = False

    def initiate_send(self):
        # What could not be sent yet stays in out_buffer, and writable() returns true.
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            super().initiate_send()

    def handle_close(self):
        self.close()


class TLSEchoServer(asyncore.dispatcher):
    """Listens, and makes a TLSEchoHandler for each connection."""

    def __init__(self, host, port, context):
        super().__init__()
        self.context = context
        self.create_socket()
        self.set_reuse_addr()
        self.bind((host, port))
        self.listen(100)

    def handle_accepted(self, sock, addr):
        try:
            TLSEchoHandler(sock, self.context)
        except OSError:  # it has already hung up, which is not an error of the listening channel
            sock.close()


if __name__ == "__main__":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server = TLSEchoServer("127.0.0.1", int(sys.argv[3]) if len(sys.argv) > 3 else 8443, context)
    host, port = server.socket.getsockname()
    print(f"listening on {host}:{port}", flush=True)
    asyncore.loop()
