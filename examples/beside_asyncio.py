"""An old chat server beside a new status page: python beside_asyncio.py [CHAT_PORT] [HTTP_PORT].

The channels of chat_server.py use asyncore, unchanged; the page uses asyncio. One asyncio loop
serves both in one thread, without polling and without locks. An HTTP client gets the number of
guests, and of passes (iterations of the loop) so far. The guests are told of each request: old and
new code may call each other. Port 0 selects a free port.
"""

import asyncio
import sys

import goasyncore
from chat_server import ChatServer


class StatusPage:
    """Answers each request with a few lines of plain text."""

    def __init__(self, room):
        self.room = room

    async def answer(self, reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            body = f"guests: {len(self.room.guests)}\npasses: {goasyncore.stats().passes}\n"
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body.encode())
            )
            self.room.say("* somebody looks at the status page")
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # it was not a request, or the client is gone
        finally:
            writer.close()


async def main(chat_port, http_port):
    chat = ChatServer("127.0.0.1", chat_port)
    goasyncore.attach()  # from here on asyncio serves asyncore's channels
    page = await asyncio.start_server(StatusPage(chat.room).answer, "127.0.0.1", http_port)
    for what, sock in (("chat", chat.socket), ("status page", page.sockets[0])):
        host, port = sock.getsockname()
        print(f"{what} on {host}:{port}", flush=True)
    await page.serve_forever()


if __name__ == "__main__":
    chosen = [int(argument) for argument in sys.argv[1:3]]
    asyncio.run(main(*chosen, *(6666, 8080)[len(chosen) :]))
