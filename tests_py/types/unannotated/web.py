"""A web server of ten lines and its client, as one writes scripts."""

import asynchat
import asyncore
import io
import socket
import sys


class HTTPHandler(asynchat.async_chat):
    def __init__(self, sock, addr, sessions, log=None):
        asynchat.async_chat.__init__(self, sock=sock)
        self.addr = addr
        self.sessions = sessions
        self.ibuffer = []
        self.obuffer = b""
        self.set_terminator(b"\r\n\r\n")
        self.reading_headers = True
        self.handling = False
        self.cgi_data = None
        self._log = log

    def collect_incoming_data(self, data):
        """Buffer the data"""
        self.ibuffer.append(data)

    def found_terminator(self):
        if self.reading_headers:
            self.reading_headers = False
            self.headers = self.parse(b"".join(self.ibuffer))
            self.ibuffer = []
            if self.op.upper() == b"POST":
                self.set_terminator(int(self.headers[b"content-length"]))
            else:
                self.handling = True
                self.set_terminator(None)
                self.handle_request()
        elif not self.handling:
            self.set_terminator(None)  # browsers sometimes over-send
            self.cgi_data = b"".join(self.ibuffer)
            self.handling = True
            self.ibuffer = []
            self.handle_request()

    def parse(self, text):
        first, *rest = text.split(b"\r\n")
        self.op = first.split()[0]
        return {name.lower(): value for name, _, value in (line.partition(b": ") for line in rest)}

    def handle_request(self):
        self.push(b"HTTP/1.0 200 OK\r\n\r\n")
        self.push_with_producer(asynchat.simple_producer(self.cgi_data or b"none"))
        self.close_when_done()

    def handle_error(self):
        nil, t, v, tbinfo = asyncore.compact_traceback()
        self.log_info("%s: %s %s" % (t, v, tbinfo), "error")
        sys.exit(1)


class HTTPServer(asyncore.dispatcher):
    def __init__(self, address, handler=HTTPHandler):
        asyncore.dispatcher.__init__(self)
        self.sessions = {}
        self.handler = handler
        self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.set_reuse_addr()
        self.bind(address)
        self.listen(1024)

    def writable(self):
        return 0

    def handle_accept(self):
        pair = self.accept()
        if pair is not None:
            sock, addr = pair
            print("Incoming connection from", repr(addr))
            self.handler(sock, addr, self.sessions)
            self.close()


class HTTPClient(asyncore.dispatcher):
    def __init__(self, address, body):
        asyncore.dispatcher.__init__(self)
        self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.connect(address)
        head = "POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.buffer = bytes(head, "ascii") + body
        self.page = io.BytesIO()

    def handle_connect(self):
        pass

    def handle_close(self):
        self.close()

    def handle_read(self):
        self.page.write(self.recv(8192))

    def writable(self):
        return len(self.buffer) > 0

    def handle_write(self):
        sent = self.send(self.buffer)
        self.buffer = self.buffer[sent:]


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", 0))
    client = HTTPClient(server.socket.getsockname(), b"x" * 5000)
    asyncore.loop(1)
    if not client.page.getvalue().endswith(b"\r\n\r\n" + b"x" * 5000):
        sys.exit("not the page")
