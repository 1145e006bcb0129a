"""Copies a file through the loop: python file_copy.py FROM TO."""

import asyncore
import os
import sys


class Reader(asyncore.file_dispatcher):
    """Reads `path` to its end and passes it to `writer` in pieces."""

    def __init__(self, path, writer):
        with open(path, "rb") as file:
            super().__init__(file)  # it has its own descriptor
        self.writer = writer

    def readable(self):
        # The file need not fit into memory: do not read while the writer has something left.
        return not self.writer.pending

    def writable(self):
        return False

    def handle_read(self):
        self.writer.pending = self.recv(65536)

    def handle_close(self):
        self.writer.finished = True
        self.close()


class Writer(asyncore.file_dispatcher):
    """Writes what is put in `pending`; closes once `finished` is set and nothing is left."""

    def __init__(self, path):
        self.pending = b""
        self.finished = False
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            super().__init__(fd)
        finally:
            os.close(fd)

    def readable(self):
        return False

    def writable(self):
        return bool(self.pending) or self.finished

    def handle_write(self):
        if self.pending:
            self.pending = self.pending[self.send(self.pending) :]
        elif self.finished:
            self.close()


def copy(source, target):
    Reader(source, Writer(target))
    asyncore.loop()


if __name__ == "__main__":
    copy(sys.argv[1], sys.argv[2])
