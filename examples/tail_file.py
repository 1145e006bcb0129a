"""Prints a file's last lines, then what is appended: python tail_file.py PATH  (Ctrl-C ends it).

A regular file is always ready, so a loop over it would never wait. So tail(1) reads the file, and
the loop waits for its pipe, which is ready when there is something to read.
"""

import asyncore
import contextlib
import subprocess
import sys


class Lines(asyncore.file_dispatcher):
    """Calls `line` with each whole line that comes out of a pipe or device."""

    def __init__(self, file, line):
        super().__init__(file)  # it has its own descriptor
        self.line = line
        self.rest = b""

    def writable(self):
        return False

    def handle_read(self):
        *lines, self.rest = (self.rest + self.recv(65536)).split(b"\n")
        for line in lines:
            self.line(line.decode("utf-8", "replace"))

    def handle_close(self):
        self.close()


def tail(path, line):
    """Call `line` with the last ten lines of the file, and with each that is appended."""
    command = ["tail", "-n", "10", "-F", "--", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as program:
        Lines(program.stdout, line)
        try:
            asyncore.loop()
        finally:
            program.terminate()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        tail(sys.argv[1], lambda line: print(line, flush=True))
