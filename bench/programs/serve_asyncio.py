"""The asyncio servers: serve_asyncio.py LOAD asyncio|uvloop IDLE SECONDS

Serves LOAD (echo, churn, in, out, lines) with protocols, asyncio's fastest way. IDLE is there for
the sake of one command line with serve_asyncore.py: these accept within their loop. Ends by itself
after SECONDS.
"""

import asyncio
import signal
import sys

BLOCK = bytes(65536)


class Channel(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport


class Echo(Channel):
    def data_received(self, data):
        self.transport.write(data)


class Sink(Channel):
    def data_received(self, data):
        pass


class Lines(Channel):
    rest = b""

    def data_received(self, data):
        *whole, self.rest = (self.rest + data).split(b"\r\n")
        for line in whole:
            self.found_terminator(line)

    def found_terminator(self, line):
        self.transport.write(line + b"\r\n")


class Source(Lines):
    sending = False

    def found_terminator(self, line):
        self.resume_writing()

    def resume_writing(self):
        self.sending = True
        while self.sending:
            self.transport.write(BLOCK)

    def pause_writing(self):
        self.sending = False

    def connection_lost(self, error):
        self.sending = False


async def serve(load, about):
    protocol = {"echo": Echo, "churn": Echo, "in": Sink, "out": Source, "lines": Lines}[load]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], about, flush=True)
    await server.serve_forever()


def main(load, peer, seconds):
    signal.alarm(seconds)
    if peer == "uvloop":
        import uvloop

        uvloop.run(serve(load, f"uvloop {uvloop.__version__}"))
    else:
        asyncio.run(serve(load, "asyncio of Python " + sys.version.split()[0]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[4]))
