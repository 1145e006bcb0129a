"""The classes of channels that random programs use, see programs.py: made anew for each run."""

import asynchat
import asyncore

KINDS = ["plain", "sender", "chat", "own", "own_sender", "property", "hooked", "file", "listener"]


def kinds(world):
    """The classes of one run. Their handlers note what happened, and then do what is planned."""

    class Traced:
        wants = "rw"

        def handle_read(self):
            world.note(self, "read")
            data = self.recv(64)
            world.note(self, f"got {len(data)}")
            world.act(self)

        def handle_write(self):
            world.note(self, "write")
            super().handle_write()
            world.act(self)

        def handle_expt(self):
            world.note(self, "expt")

        def handle_connect(self):
            world.note(self, "connect")

        def handle_accepted(self, sock, addr):
            world.note(self, "accepted")
            sock.close()
            world.act(self)

        def handle_close(self):
            world.note(self, "close")
            self.close()
            world.act(self)

        def handle_error(self):
            problem = asyncore.sys.exc_info()[0].__name__
            world.note(self, f"error {problem}")
            world.act(self)

    class Asked:
        def readable(self):
            world.note(self, "readable?")
            world.act(self, asked=True)
            return "r" in self.wants

        def writable(self):
            world.note(self, "writable?")
            return "w" in self.wants

    class Plain(Traced, asyncore.dispatcher):
        pass

    class Sender(Traced, asyncore.dispatcher_with_send):
        pass

    class Chat(Traced, asynchat.async_chat):
        terminator = b"\n"

        def handle_read(self):
            world.note(self, "read")
            asynchat.async_chat.handle_read(self)
            world.act(self)

        def collect_incoming_data(self, data):
            world.note(self, f"data {len(data)}")

        def found_terminator(self):
            world.note(self, "line")

    class Own(Traced, Asked, asyncore.dispatcher):
        pass

    class OwnSender(Traced, asyncore.dispatcher_with_send):
        def writable(self):
            world.note(self, "writable?")
            return asyncore.dispatcher_with_send.writable(self)

    class Property(Traced, asyncore.dispatcher_with_send):
        @property
        def accepting(self):
            world.note(self, "accepting?")
            return vars(self).get("accepting", False)

        @accepting.setter
        def accepting(self, value):
            vars(self)["accepting"] = value

    class Hooked(Traced, asyncore.dispatcher_with_send):
        def __getattr__(self, name):
            raise AttributeError(name)

    class File(Traced, asyncore.file_dispatcher):
        pass

    class Listener(Traced, asyncore.dispatcher):
        pass

    made = [Plain, Sender, Chat, Own, OwnSender, Property, Hooked, File, Listener]
    return dict(zip(KINDS, made, strict=True)), Traced
