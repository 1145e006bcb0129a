"""What programs that fork begin with, and how a test runs them."""

from support import run_python

PRELUDE = """
import asyncore, os, signal, socket, subprocess, sys, threading, time, traceback, warnings

LIMIT = 20
use_poll = sys.argv[1] == "True"
times = int(sys.argv[2])

class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(100)
        if data:
            self.send(data)

def echo():
    channels = {}
    near, far = socket.socketpair()
    far.settimeout(LIMIT)
    Echo(near, channels)
    far.sendall(b"hello")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert far.recv(100) == b"hello"
    far.close()
    asyncore.loop(LIMIT, use_poll, channels)

def start_busy_loops(number):
    '''Threads that are always somewhere in the loop.'''
    def serve(begun):
        channels = {}
        near, far = socket.socketpair()
        Echo(near, channels)
        Echo(far, channels)
        far.send(b"x")
        begun.set()
        asyncore.loop(30, False, channels)
    for _ in range(number):
        begun = threading.Event()
        threading.Thread(target=serve, args=(begun,), daemon=True).start()
        begun.wait()

def ended_well(child):
    '''Whether it does so before a stuck one would; the watchdog's status is another.'''
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

def watchdog():
    signal.alarm(LIMIT)
"""


def run(code, use_poll=False, count=1):
    return run_python(PRELUDE + code, use_poll, count)
