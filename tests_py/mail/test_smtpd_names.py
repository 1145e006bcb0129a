"""smtpd's names, signatures and classes are CPython 3.11's."""

import asynchat
import asyncore
import errno
import inspect
import io
import smtpd
import socket
import sys
import typing

import pytest
from support import run_python

NAMES = {
    *("COMMASPACE", "DATA_SIZE_DEFAULT", "DEBUGSTREAM", "NEWLINE", "program"),
    *("DebuggingServer", "Devnull", "Options", "PureProxy", "SMTPChannel", "SMTPServer"),
    *("asynchat", "asyncore", "collections", "errno", "getopt", "os", "socket", "sys", "time"),
    *("get_addr_spec", "get_angle_addr", "parseargs", "usage", "warn"),
}
MADE = "data_size_limit=33554432, map=None, enable_SMTPUTF8=False, decode_data=False)"
COMMANDS = ["HELO", "EHLO", "NOOP", "QUIT", "HELP", "VRFY", "MAIL", "RCPT", "RSET", "DATA", "EXPN"]
SIGNATURES = {
    "usage": "(code, msg='')",
    "parseargs": "()",
    "Devnull.write": "(self, msg)",
    "Devnull.flush": "(self)",
    "SMTPServer.__init__": f"(self, localaddr, remoteaddr, {MADE}",
    "SMTPServer.handle_accepted": "(self, conn, addr)",
    "SMTPServer.process_message": "(self, peer, mailfrom, rcpttos, data, **kwargs)",
    "DebuggingServer.process_message": "(self, peer, mailfrom, rcpttos, data, **kwargs)",
    "DebuggingServer._print_message_content": "(self, peer, data)",
    "PureProxy.__init__": "(self, *args, **kwargs)",
    "PureProxy.process_message": "(self, peer, mailfrom, rcpttos, data)",
    "PureProxy._deliver": "(self, mailfrom, rcpttos, data)",
    "SMTPChannel.__init__": f"(self, server, conn, addr, {MADE}",
    "SMTPChannel.push": "(self, msg)",
    "SMTPChannel.collect_incoming_data": "(self, data)",
    "SMTPChannel.found_terminator": "(self)",
    "SMTPChannel._getaddr": "(self, arg)",
    "SMTPChannel._getparams": "(self, params)",
    "SMTPChannel._strip_command_keyword": "(self, keyword, arg)",
    "SMTPChannel._set_post_data_state": "(self)",
    "SMTPChannel._set_rset_state": "(self)",
    **{f"SMTPChannel.smtp_{command}": "(self, arg)" for command in COMMANDS},
}
ALIASES = {
    "server": "smtp_server",
    "line": "received_lines",
    "state": "smtp_state",
    "greeting": "seen_greeting",
    "mailfrom": "mailfrom",
    "rcpttos": "rcpttos",
    "data": "received_data",
    "fqdn": "fqdn",
    "peer": "peer",
    "conn": "conn",
    "addr": "addr",
}


def test_public_namespace_equals_the_reference():
    assert {name for name in vars(smtpd) if not name.startswith("_")} == NAMES
    assert smtpd.__all__ == ["SMTPChannel", "SMTPServer", "DebuggingServer", "PureProxy"]
    assert smtpd.__version__ == "Python SMTP proxy version 0.3"
    assert (smtpd.NEWLINE, smtpd.COMMASPACE) == ("\n", ", ")
    assert smtpd.DATA_SIZE_DEFAULT == 33554432
    assert smtpd.program == sys.argv[0]
    assert (smtpd.asyncore, smtpd.asynchat, smtpd.socket) == (asyncore, asynchat, socket)


@pytest.mark.ours_only("3.4 was the last to have it")
def test_a_name_that_older_programs_import():
    from smtpd import EMPTYSTRING

    assert EMPTYSTRING == ""
    with pytest.raises(AttributeError, match="module 'smtpd' has no attribute 'MailmanProxy'"):
        smtpd.MailmanProxy  # noqa: B018


@pytest.mark.parametrize("path", SIGNATURES)
def test_signature_equals_the_reference(path):
    value = smtpd
    for name in path.split("."):
        value = getattr(value, name)
    assert str(inspect.signature(value)) == SIGNATURES[path]


@pytest.mark.parametrize("kind", ["Devnull", "SMTPServer", "SMTPChannel", "PureProxy"])
def test_a_class_has_the_methods_of_the_reference(kind):
    own = vars(getattr(smtpd, kind))
    methods = {name for name in own if inspect.isfunction(own[name]) and name[0] != "_"}
    assert methods == {
        name for owner, _, name in (path.partition(".") for path in SIGNATURES)
        if owner == kind and name[0] != "_"
    }  # fmt: skip


def test_class_hierarchy():
    assert smtpd.SMTPServer.__mro__[1:] == asyncore.dispatcher.__mro__
    assert smtpd.DebuggingServer.__mro__[1:] == smtpd.SMTPServer.__mro__
    assert smtpd.PureProxy.__mro__[1:] == smtpd.SMTPServer.__mro__
    assert smtpd.SMTPChannel.__mro__[1:] == asynchat.async_chat.__mro__
    assert smtpd.SMTPServer.channel_class is smtpd.SMTPChannel
    assert {kind.__module__ for kind in smtpd.SMTPChannel.__mro__[:1]} == {"smtpd"}


def test_defaults_of_the_classes():
    options = smtpd.Options
    assert (options.setuid, options.classname) == (True, "PureProxy")
    assert (options.size_limit, options.enable_SMTPUTF8) == (None, False)
    channel = smtpd.SMTPChannel
    assert (channel.COMMAND, channel.DATA, channel.command_size_limit) == (0, 1, 512)
    assert channel.command_size_limits.default_factory() == 512
    assert typing.get_type_hints(channel) == typing.get_type_hints(smtpd.SMTPServer) == {}


@pytest.mark.ours_only("3.11 announces the removal")
def test_import_gives_no_warning_and_loads_no_engine():
    run_python(
        "import sys, warnings; warnings.resetwarnings(); warnings.simplefilter('error');"
        "import smtpd; assert not [name for name in sys.modules if '_binding' in name]"
    )


class Server(smtpd.SMTPServer):
    pass


@pytest.fixture
def server(channels):
    return Server(("127.0.0.1", 0), ("there", 25), map=channels)


@pytest.fixture
def debug(monkeypatch):
    monkeypatch.setattr(smtpd, "DEBUGSTREAM", io.StringIO())
    return smtpd.DEBUGSTREAM


@pytest.mark.parametrize("alias", ALIASES)
def test_alias_of_an_attribute_warns(server, closing, channels, alias):
    near, _ = closing(*socket.socketpair())
    channel = smtpd.SMTPChannel(server, near, ("here", 1), map=channels)
    name = ALIASES[alias]
    with pytest.warns(DeprecationWarning) as caught:
        assert getattr(channel, f"_SMTPChannel__{alias}") is getattr(channel, name)
    (told,) = caught
    wanted = f"Access to __{alias} attribute on SMTPChannel is deprecated, use '{name}' instead"
    assert (str(told.message), told.filename) == (wanted, __file__)
    with pytest.warns(DeprecationWarning) as caught:
        setattr(channel, f"_SMTPChannel__{alias}", "new")
    (told,) = caught
    wanted = f"Setting __{alias} attribute on SMTPChannel is deprecated, set '{name}' instead"
    assert (str(told.message), told.filename) == (wanted, __file__)
    assert getattr(channel, name) == "new"


@pytest.mark.parametrize("kind", [smtpd.SMTPServer, smtpd.SMTPChannel])
def test_decoding_and_smtputf8_exclude_each_other(kind, server, closing, channels):
    near, _ = closing(*socket.socketpair())
    args = (server, near, ("a", 1)) if kind is smtpd.SMTPChannel else (("127.0.0.1", 0), None)
    with pytest.raises(ValueError) as raised:
        kind(*args, map=channels, enable_SMTPUTF8=True, decode_data=True)
    wanted = "decode_data and enable_SMTPUTF8 cannot be set to True at the same time"
    assert str(raised.value) == wanted


def test_server_keeps_what_it_was_given_and_listens(channels, debug):
    server = Server(("127.0.0.1", 0), ("there", 25), 77, channels, True, False)
    assert (server._localaddr, server._remoteaddr) == (("127.0.0.1", 0), ("there", 25))
    assert (server.data_size_limit, server.enable_SMTPUTF8) == (77, True)
    assert server.accepting
    assert server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    begun, local, remote = debug.getvalue().splitlines()
    assert begun.startswith("Server started at ")
    assert local == "\tLocal addr: ('127.0.0.1', 0)"
    assert remote == "\tRemote addr:('there', 25)"


def test_server_that_cannot_listen_leaves_nothing_open(channels, closing):
    taken = closing(socket.socket())
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    with pytest.raises(OSError) as raised:
        Server(taken.getsockname(), None, map=channels)
    assert raised.value.errno == errno.EADDRINUSE
    assert channels == {}


def test_connection_becomes_a_channel_with_the_servers_options(channels, debug):
    server = Server(("127.0.0.1", 0), None, 77, channels, True, False)
    made = []
    server.channel_class = lambda *args: made.append(args)
    server.handle_accepted("conn", ("addr", 5))
    assert made == [(server, "conn", ("addr", 5), 77, channels, True, False)]
    assert debug.getvalue().endswith("Incoming connection from ('addr', 5)\n")


def test_base_class_leaves_messages_to_subclasses(server):
    with pytest.raises(NotImplementedError):
        server.process_message(("here", 1), "a@b", ["c@d"], b"")


class Gone:
    def __init__(self, sock, error):
        self.sock, self.errors = sock, [None, error]

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def getpeername(self):
        if error := self.errors.pop(0):
            raise error


@pytest.mark.parametrize("number", [errno.ENOTCONN, errno.EINVAL])
def test_client_that_has_left_already(server, closing, channels, number):
    near, far = closing(*socket.socketpair())
    gone = Gone(near, OSError(number, "gone"))
    if number == errno.ENOTCONN:
        smtpd.SMTPChannel(server, gone, ("here", 1), map=channels)
    else:
        with pytest.raises(OSError):
            smtpd.SMTPChannel(server, gone, ("here", 1), map=channels)
    assert list(channels.values()) == [server]
    assert far.recv(10) == b""
