"""What programs begin with whose channels send back what they read."""

ECHO = """
import asyncore, socket

class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(100)
        if data:
            self.send(data)
    def handle_error(self):
        raise

def connect(channels, cls=Echo):
    near, far = socket.socketpair()
    far.settimeout(10)
    return cls(near, channels), far
"""
