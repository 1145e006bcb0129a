"""Overrides that the loop could not call: each marked line has its alarm, and no other has one."""

from __future__ import annotations

import asynchat
import asyncore
import socket
from typing import Any


class Channel(asyncore.dispatcher):
    connect: int  # wrong

    def readable(self, now: bool) -> bool:  # wrong
        return now

    def writable(self, now: bool) -> bool:  # wrong
        return now

    def handle_read(self, data: bytes) -> None:  # wrong
        print(data)

    def handle_write(self) -> int:  # wrong
        return 0

    async def handle_connect(self) -> None:  # wrong
        pass

    def handle_accept(self, sock: socket.socket) -> None:  # wrong
        sock.close()

    def handle_accepted(self, sock: socket.socket) -> None:  # wrong
        sock.close()

    def handle_expt(self, flags: int) -> None:  # wrong
        print(flags)

    def handle_close(self, reason: str) -> None:  # wrong
        print(reason)

    def handle_error(self, why: BaseException) -> None:  # wrong
        print(why)

    def handle_read_event(self, flags: int) -> None:  # wrong
        print(flags)

    def handle_write_event(self) -> bool:  # wrong
        return True

    def handle_expt_event(self, flags: int) -> None:  # wrong
        print(flags)

    def handle_connect_event(self, err: int) -> None:  # wrong
        print(err)

    def recv(self, buffer_size: int) -> str:  # wrong
        return "text"

    def add_channel(self) -> None:  # wrong
        pass

    def set_socket(self) -> None:  # wrong
        pass

    def accept(self) -> socket.socket:  # wrong
        return self.socket

    def log_info(self, message: str) -> None:  # wrong
        print(message)

    def close(self, flush: bool) -> None:  # wrong
        print(flush)


class Chat(asynchat.async_chat):
    ac_in_buffer_size = "large"  # wrong

    def collect_incoming_data(self) -> None:  # wrong
        pass

    def found_terminator(self, data: bytes) -> None:  # wrong
        print(data)

    def initiate_send(self, data: bytes) -> None:  # wrong
        print(data)

    def get_terminator(self) -> str:  # wrong
        return "\n"


class OtherChat(asynchat.async_chat):
    def collect_incoming_data(self, data: str) -> None:  # wrong
        print(data)

    def found_terminator(self) -> bool:  # wrong
        return True


class Producer(asynchat.simple_producer):
    def more(self, size: int) -> bytes:  # wrong
        return b""


class File(asyncore.file_dispatcher):
    def set_file(self) -> None:  # wrong
        pass

    def handle_read(self, *, data: Any) -> None:  # wrong
        print(data)
