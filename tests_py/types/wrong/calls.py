"""Calls that no checker may let pass: each marked line has its alarm, and no other line has one."""

from __future__ import annotations

import asynchat
import asyncore
import smtpd
import socket

import goasyncore


class Producer:
    def less(self) -> bytes:
        return b""


class Channel(asyncore.dispatcher):
    def handle_read(self) -> None:
        text: str = self.recv(100)  # wrong
        self.recv("100")  # wrong
        self.send("text")  # wrong
        super().send("text")  # wrong
        asyncore.dispatcher.send(self, "text")  # wrong
        self.send(b"more", b"than one")  # wrong
        sent: str = self.send(b"data")  # wrong
        print(text, sent)

    def handle_write(self) -> None:
        self.create_socket("AF_INET")  # wrong
        self.listen("5")  # wrong
        self.listen()  # wrong
        self.log()  # wrong
        self.log_info("message", 1)  # wrong
        self.handle_accepted(self.socket)  # wrong
        self.close(True)  # wrong
        self.no_such_method()  # wrong
        sock, addr = self.accept()  # wrong
        print(sock, addr)


class Sender(asyncore.dispatcher_with_send):
    def handle_read(self) -> None:
        self.send("text")  # wrong
        total = 0
        total += self.send(b"data")  # wrong
        print(total)


class Chat(asynchat.async_chat):
    def found_terminator(self) -> None:
        self.push("text")  # wrong
        super().push("text")  # wrong
        asynchat.async_chat.push(self, "text")  # wrong
        self.push(None)  # wrong
        self.set_terminator("\n")  # wrong
        self.set_terminator(1.5)  # wrong
        self.push_with_producer(Producer())  # wrong
        self.push_with_producer(b"data")  # wrong
        self.close_when_done(True)  # wrong
        size: int = self.get_terminator()  # wrong
        print(size)


asyncore.loop("30")  # wrong
asyncore.loop(map=[])  # wrong
asyncore.loop(count="1")  # wrong
asyncore.loop(timeout=1, forever=True)  # wrong
asyncore.poll(map=asyncore.dispatcher())  # wrong
asyncore.poll2("1")  # wrong
asyncore.close_all([])  # wrong
asyncore.readwrite(Channel(), "flags")  # wrong
asyncore.compact_traceback()[3].no_such_method()  # wrong
asyncore.no_such_function()  # wrong
asyncore.socket_map["one"] = Channel()  # wrong
Channel("localhost")  # wrong
Channel(socket.socket(), [])  # wrong
Channel(("localhost", 80))  # wrong
Chat(80)  # wrong
asynchat.simple_producer(5)  # wrong
asynchat.simple_producer(b"", "512")  # wrong
asyncore.file_wrapper("name")  # wrong
asyncore.file_dispatcher("name")  # wrong
asyncore.ExitNow().no_such_method()  # wrong
goasyncore.backend("native")  # wrong
number: int = goasyncore.backend().name  # wrong


def mail(server: smtpd.SMTPServer, channel: smtpd.SMTPChannel) -> None:
    smtpd.SMTPServer(("localhost", 25))  # wrong
    smtpd.SMTPServer(("localhost", 25), None, data_limit=5)  # wrong
    channel.push(1)  # wrong
    goasyncore.dump_on("SIGUSR1")  # wrong
