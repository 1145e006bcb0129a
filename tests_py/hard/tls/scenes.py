"""Plays scenes with a TLS peer, and prints what the channel saw in each pass as JSON.

    python scenes.py BACKEND CERTIFICATE KEY OPENSSL

The peer works in memory, in the same thread: nothing depends on the clock. OPENSSL is the program,
a peer that can do what Python's ssl cannot; of those scenes only what arrived is told.
BACKEND is the one that has to serve, or "reference" for a module that is not ours.
"""

import asyncore
import itertools
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import time

from ends import Bytes, Lines, Peer

LIMIT = 5  # seconds until the program that is the peer counts as stuck
cert, key, openssl = sys.argv[2:]
here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
here.load_cert_chain(cert, key)
here.options |= 1 << 8  # SSL_OP_ALLOW_CLIENT_RENEGOTIATION, which Python has no name for
there = ssl.create_default_context(cafile=cert)


class Scene:
    def __init__(self, kind, use_poll, version=None):
        self.use_poll, self.trace, self.channels = use_poll, [], {}
        near, far = socket.socketpair()
        far.setblocking(False)
        self.channel = kind(near, self.channels)
        asyncore.loop(0, use_poll, self.channels, 1)  # plain, so far
        self.channel.begin(here)
        self.peer = Peer(far, there)

    def passes(self, count=1):
        for _ in range(count):
            asyncore.loop(0, self.use_poll, self.channels, 1)
            self.trace.append(self.channel.events[:])
            self.channel.events.clear()

    def shake(self):
        for _ in range(4):
            self.peer.sock.send(self.peer.step())
            self.passes()
        assert not self.channel.shaking, self.trace

    def say(self, data):
        self.peer.sock.send(self.peer.step(lambda: self.peer.tls.write(data)))

    def end(self):
        self.trace.append([self.channel in self.channels.values(), len(self.peer.got)])
        return self.trace


def data_stays_inside_the_ssl_object(kind, use_poll):
    """One record of more than the channel reads: the descriptor is not ready for the rest."""
    scene = Scene(kind, use_poll)
    scene.shake()
    scene.say(b"0123456789" * 9 + b"\n")
    scene.passes(4)
    scene.trace.append(scene.channel.socket.pending())
    scene.say(b"more\n")
    scene.passes(15)
    scene.channel.send(b"from within")  # what makes the channel wait for writing
    scene.passes(4)
    scene.peer.read()
    return scene.end()


def data_inside_and_a_channel_that_writes(kind, use_poll):
    scene = Scene(kind, use_poll)
    scene.shake()
    scene.channel.handle_write = lambda: kind.handle_read(scene.channel)
    scene.channel.writable = lambda: bool(scene.channel.socket.pending())
    scene.say(b"0123456789" * 5 + b"\n")
    scene.passes(8)
    return scene.end()


def a_handshake_in_single_bytes(kind, use_poll):
    scene = Scene(kind, use_poll)
    while scene.channel.shaking:
        for byte in scene.peer.step():
            scene.peer.sock.send(bytes([byte]))
            scene.passes()
    scene.say(b"hello\n")
    scene.passes(3)
    scene.peer.read()
    return scene.end()


def a_record_in_pieces(kind, use_poll):
    scene = Scene(kind, use_poll)
    scene.shake()
    record = scene.peer.step(lambda: scene.peer.tls.write(b"in pieces\n"))
    for at in range(0, len(record), 7):
        scene.peer.sock.send(record[at : at + 7])
        scene.passes()
    scene.passes(2)
    return scene.end()


def a_handshake_that_stops_halfway(kind, use_poll):
    scene = Scene(kind, use_poll)
    hello = scene.peer.step()
    scene.peer.sock.send(hello[: len(hello) // 2])
    scene.passes(4)
    scene.peer.sock.close()
    scene.passes(3)
    return scene.end()


def a_handshake_of_nonsense(kind, use_poll):
    scene = Scene(kind, use_poll)
    scene.peer.sock.send(b"GET / HTTP/1.0\r\n\r\n")
    scene.passes(3)
    return scene.end()


def a_peer_that_says_it_closes(kind, use_poll):
    """A close_notify, with data before it in the same piece, and an open descriptor after it."""
    scene = Scene(kind, use_poll)
    scene.shake()
    last = scene.peer.step(lambda: scene.peer.tls.write(b"last words\n"))
    scene.peer.sock.send(last + scene.peer.step(scene.peer.tls.unwrap))
    scene.passes(5)
    return scene.end()


def a_peer_that_vanishes(kind, use_poll):
    scene = Scene(kind, use_poll)
    scene.shake()
    scene.say(b"and then\n")
    scene.peer.sock.close()
    scene.passes(4)
    return scene.end()


def much_both_ways(kind, use_poll):
    scene = Scene(kind, use_poll)
    scene.channel.size = 65536
    scene.shake()
    for _ in range(20):
        scene.say(b"x" * 5000 + b"\n")
        scene.passes(2)
        scene.peer.read()
    scene.passes(3)
    scene.peer.read()
    return scene.end()


def with_openssl(command, version):
    """s_client says a line, does `command`, and says another; twice."""

    def told(stream, word):
        # s_client takes a command that comes alone; what follows may be sent when it has said so.
        seen = b""
        while word not in seen and select.select([stream], [], [], LIMIT)[0]:
            piece = os.read(stream.fileno(), 4096)
            if not piece:
                break
            seen += piece

    def scene(kind, use_poll):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}"
            client = subprocess.Popen(
                [openssl, "s_client", f"-{version}", "-connect", address, "-CAfile", cert],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            near, _ = server.accept()
        channels = {}
        channel = kind(near, channels)
        channel.size = 1000
        channel.begin(here)

        def run_until(condition):
            end = time.monotonic() + LIMIT
            while channels and not condition() and time.monotonic() < end:
                asyncore.loop(0.1, use_poll, channels, 1)

        run_until(lambda: not channel.shaking)
        try:
            for word in ("first", "second", "third"):
                client.stdin.write(word.encode() + b"\n")
                client.stdin.flush()
                run_until(lambda word=word: any(word in event for event in channel.events))
                if word != "third":
                    client.stdin.write(command)
                    client.stdin.flush()
                    told(client.stderr, b"RENEGOTIATING" if command == b"R\n" else b"KEYUPDATE")
            client.stdin.close()
        except BrokenPipeError:
            pass  # it has ended, and the channel's events tell why
        run_until(lambda: False)
        client.kill()
        client.stderr.close()
        client.wait()
        return [e for e in channel.events if e not in ("shakes", "nothing yet")]

    return scene


SCENES = [data_stays_inside_the_ssl_object, data_inside_and_a_channel_that_writes]
SCENES += [a_handshake_in_single_bytes, a_record_in_pieces, a_handshake_that_stops_halfway]
SCENES += [a_handshake_of_nonsense, a_peer_that_says_it_closes, a_peer_that_vanishes]
SCENES += [much_both_ways]
WITH_OPENSSL = {"renegotiates": (b"R\n", "tls1_2"), "updates its keys": (b"K\n", "tls1_3")}
WITH_OPENSSL["updates both's keys"] = (b"k\n", "tls1_3")


def main():
    if sys.argv[1] != "reference":
        import goasyncore

        assert goasyncore.backend().name == sys.argv[1]
    scenes = {scene.__name__: scene for scene in SCENES}
    scenes |= {name: with_openssl(*how) for name, how in WITH_OPENSSL.items()}
    traces = {}
    for (name, scene), kind, use_poll in itertools.product(
        scenes.items(), (Bytes, Lines), (False, True)
    ):
        traces[f"{name}, {kind.__name__}, poll {use_poll}"] = scene(kind, use_poll)
    json.dump(traces, sys.stdout, indent=0)


if __name__ == "__main__":
    main()
