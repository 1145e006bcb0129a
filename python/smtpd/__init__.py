"""An RFC 5321 smtp proxy with optional RFC 1870 and RFC 6531 extensions.

Usage: %(program)s [options] [localhost:localport [remotehost:remoteport]]

Options:

    --nosetuid
    -n
        This program generally tries to setuid `nobody', unless this flag is
        set.  The setuid call will fail if this program is not run as root (in
        which case, use this flag).

    --version
    -V
        Print the version number and exit.

    --class classname
    -c classname
        Use `classname' as the concrete SMTP proxy class.  Uses `PureProxy' by
        default.

    --size limit
    -s limit
        Restrict the total size of the incoming message to "limit" number of
        bytes via the RFC 1870 SIZE extension.  Defaults to 33554432 bytes.

    --smtputf8
    -u
        Enable the SMTPUTF8 extension and behave as an RFC 6531 smtp proxy.

    --debug
    -d
        Turn on debugging prints.

    --help
    -h
        Print this message and exit.

Version: %(__version__)s

If localhost is not given then `localhost' is used, and if localport is not
given then 8025 is used.  If remotehost is not given then `localhost' is used,
and if remoteport is not given, then 25 is used.
"""

from __future__ import annotations

import asynchat
import asyncore
import collections
import errno
import getopt
import os  # noqa: F401 - as 3.11 had it
import socket
import sys
import time
from codecs import getincrementaldecoder as _incremental_decoder
from email._header_value_parser import get_addr_spec, get_angle_addr
from warnings import warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncore import _loose
    from collections import defaultdict
    from typing import Any, NoReturn, Protocol

    class _Output(Protocol):
        def write(self, text: str, /) -> object: ...
        def flush(self) -> object: ...

    # The documented pair. An IPv6 address has more items, and other families differ.
    type _Address = tuple[str, int] | Any
    # `None` if nothing follows the command; programs that override these annotate `str`.
    type _Argument = str | Any

else:  # not asyncore's, because asyncore may be another package's

    def _loose(method):
        return method


__all__ = ["SMTPChannel", "SMTPServer", "DebuggingServer", "PureProxy"]  # noqa: RUF022

program: str = sys.argv[0] if sys.argv else ""
__version__ = "Python SMTP proxy version 0.3"


class Devnull:
    """A stream that discards what is written."""

    def write(self, msg: str) -> None:
        pass

    def flush(self) -> None:
        pass


DEBUGSTREAM: _Output | Any = Devnull()
"""Where connections, commands and addresses are logged; with `-d`, standard error."""
NEWLINE = "\n"
COMMASPACE = ", "
DATA_SIZE_DEFAULT = 33554432
"""Bytes of a message's data that are accepted by default: 32 MiB."""

_SYNTAX = {
    "EHLO": "EHLO hostname",
    "HELO": "HELO hostname",
    "MAIL": "MAIL FROM: <address>",
    "RCPT": "RCPT TO: <address>",
    "DATA": "DATA",
    "RSET": "RSET",
    "NOOP": "NOOP",
    "QUIT": "QUIT",
    "VRFY": "VRFY <address>",
}
_PARAMETERS = {"MAIL", "RCPT"}  # with parameters after the address, after EHLO
_PIECES = 256  # this many pieces of a message are joined to one


def __getattr__(name: str) -> str:
    # For programs of 3.4's time. 3.11 did not have it, so dir() and a star import omit it.
    if name == "EMPTYSTRING":
        return ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def usage(code: int, msg: str = "") -> NoReturn:
    """Print the command's usage and `msg` to standard error; exit with `code`."""
    print((__doc__ or "") % globals(), file=sys.stderr)
    if msg:
        print(msg, file=sys.stderr)
    sys.exit(code)


def _renamed(old: str, new: str) -> Any:
    """Return a property for an old name of the attribute `new`."""

    def get(channel: SMTPChannel) -> Any:
        warn(
            f"Access to {old} attribute on SMTPChannel is deprecated, use {new!r} instead",
            DeprecationWarning,
            2,
        )
        return getattr(channel, new)

    def put(channel: SMTPChannel, value: Any) -> None:
        warn(
            f"Setting {old} attribute on SMTPChannel is deprecated, set {new!r} instead",
            DeprecationWarning,
            2,
        )
        setattr(channel, new, value)

    return property(get, put)


class SMTPChannel(asynchat.async_chat):
    """One client's connection: executes its commands and passes its messages to the server."""

    COMMAND: int = 0
    DATA: int = 1

    command_size_limit: int = 512
    """The maximum length of a command's line in bytes, without the line end."""
    command_size_limits: defaultdict[str, int] = collections.defaultdict(lambda: 512)  # noqa: RUF012
    """The same for single commands, which extensions make longer; used after EHLO."""

    smtp_server: SMTPServer | Any
    conn: asyncore._Socket
    addr: Any
    data_size_limit: int | Any
    enable_SMTPUTF8: bool
    smtp_state: int
    seen_greeting: str | Any
    extended_smtp: bool
    require_SMTPUTF8: bool
    mailfrom: str | Any
    rcpttos: list[str]
    mail_options: list[str]
    rcpt_options: list[str]
    received_lines: list[Any]
    received_data: str | Any
    num_bytes: int
    fqdn: str
    peer: str | Any

    @property
    def max_command_size_limit(self) -> int:
        """The largest limit of all commands."""
        return max(self.command_size_limits.values(), default=self.command_size_limit)

    def __init__(
        self,
        server: SMTPServer | Any,
        conn: asyncore._SocketLike | Any,
        addr: _Address,
        data_size_limit: int | None = DATA_SIZE_DEFAULT,
        map: asyncore._Map | None = None,
        enable_SMTPUTF8: bool = False,
        decode_data: bool = False,
    ) -> None:
        """Greet the client on `conn`. Closes `conn` if the client is already gone.

        Raises `ValueError` if both `enable_SMTPUTF8` and `decode_data` are true.
        """
        asynchat.async_chat.__init__(self, conn, map=map)
        self.smtp_server = server
        self.conn = conn
        self.addr = addr
        self.data_size_limit = data_size_limit
        self.enable_SMTPUTF8 = enable_SMTPUTF8
        self._decode_data = decode_data
        _check_text(enable_SMTPUTF8, decode_data)
        self._emptystring: Any = "" if decode_data else b""
        self._linesep: Any = "\r\n" if decode_data else b"\r\n"
        self._dotsep: Any = "." if decode_data else ord(b".")
        self._newline: Any = NEWLINE if decode_data else NEWLINE.encode("ascii")
        self._decoder = _incremental_decoder("utf-8")()
        # Each channel has its own. In 3.11 all channels shared one, which each EHLO raised and each
        # new connection reset for all of them.
        self.command_size_limits = self.command_size_limits.copy()
        self.command_size_limits.clear()
        self._set_rset_state()
        self.seen_greeting = ""
        self.extended_smtp = False
        self.fqdn = socket.getfqdn()
        try:
            self.peer = conn.getpeername()
        except OSError as error:
            self.close()
            if error.args[0] != errno.ENOTCONN:
                raise
            return
        print("Peer:", repr(self.peer), file=DEBUGSTREAM)
        self.push(f"220 {self.fqdn} {__version__}")

    def _set_post_data_state(self) -> None:
        """Forget the message, but keep its data readable."""
        self.smtp_state = self.COMMAND
        self.mailfrom = None
        self.rcpttos = []
        self.require_SMTPUTF8 = False
        self.num_bytes = 0
        self.set_terminator(b"\r\n")

    def _set_rset_state(self) -> None:
        """Forget everything except the greeting."""
        self._set_post_data_state()
        self.received_data = ""
        self.received_lines = []
        self._joined = 0

    # Names that the attributes had before they were documented.
    __server = _renamed("__server", "smtp_server")
    __line = _renamed("__line", "received_lines")
    __state = _renamed("__state", "smtp_state")
    __greeting = _renamed("__greeting", "seen_greeting")
    __mailfrom = _renamed("__mailfrom", "mailfrom")
    __rcpttos = _renamed("__rcpttos", "rcpttos")
    __data = _renamed("__data", "received_data")
    __fqdn = _renamed("__fqdn", "fqdn")
    __peer = _renamed("__peer", "peer")
    __conn = _renamed("__conn", "conn")
    __addr = _renamed("__addr", "addr")

    @_loose
    def push(self, msg: str) -> None:
        """Send a line. It is encoded as ASCII, or as UTF-8 after a `MAIL` with SMTPUTF8."""
        asynchat.async_chat.push(
            self, bytes(msg + "\r\n", "utf-8" if self.require_SMTPUTF8 else "ascii")
        )

    # -- what arrives -------------------------------------------------------------------------

    def collect_incoming_data(self, data: bytes) -> None:
        if self.smtp_state == self.COMMAND:
            limit = self.max_command_size_limit
        else:
            limit = self.data_size_limit
        if limit:
            # Slightly more than the limit is kept, so that the line is refused at its end.
            if self.num_bytes > limit:
                return
            self.num_bytes += len(data)
        # The bytes of a character may arrive in two pieces.
        self.received_lines.append(self._decoder.decode(data) if self._decode_data else data)
        if len(self.received_lines) - self._joined >= _PIECES:
            # If a client sends two bytes at a time, the list would need forty bytes for them.
            pieces = self.received_lines[self._joined :]
            self.received_lines[self._joined :] = [self._emptystring.join(pieces)]
            self._joined += 1

    def found_terminator(self) -> None:
        if self._decode_data:
            self.received_lines.append(self._decoder.decode(b"", final=True))
        received = self._emptystring.join(self.received_lines)
        print("Data:", repr(received), file=DEBUGSTREAM)
        self.received_lines = []
        self._joined = 0
        size, self.num_bytes = self.num_bytes, 0
        if self.smtp_state == self.COMMAND:
            self._command(received, size)
        elif self.smtp_state != self.DATA:
            self.push("451 Internal confusion")
        elif self.data_size_limit and size > self.data_size_limit:
            self.push("552 Error: Too much mail data")
        else:
            self._message(received)

    def _command(self, line: Any, size: int) -> None:
        if not line:
            self.push("500 Error: bad syntax")
            return
        word, space, rest = (line if self._decode_data else str(line, "utf-8")).partition(" ")
        command = word.upper()
        limit = self.command_size_limits[command] if self.extended_smtp else self.command_size_limit
        if size > limit:
            self.push("500 Error: line too long")
            return
        method = getattr(self, "smtp_" + command, None)
        if not method:
            self.push(f'500 Error: command "{command}" not recognized')
            return
        method(rest.strip() if space else None)

    def _message(self, data: Any) -> None:
        dot: Any = "." if self._decode_data else b"."
        if data.startswith(dot):
            data = data[1:]
        data = data.replace(self._linesep + dot, self._linesep)
        self.received_data = data.replace(self._linesep, self._newline)
        options: dict[str, Any] = {}
        if not self._decode_data:
            options = {"mail_options": self.mail_options, "rcpt_options": self.rcpt_options}
        status = self.smtp_server.process_message(
            self.peer, self.mailfrom, self.rcpttos, self.received_data, **options
        )
        self._set_post_data_state()
        self.push(status or "250 OK")

    # -- commands -----------------------------------------------------------------------------

    def smtp_HELO(self, arg: _Argument) -> None:
        if self._greeted("HELO", arg):
            self.push(f"250 {self.fqdn}")

    def smtp_EHLO(self, arg: _Argument) -> None:
        if not self._greeted("EHLO", arg):
            return
        self.extended_smtp = True
        self.push(f"250-{self.fqdn}")
        if self.data_size_limit:
            self.push(f"250-SIZE {self.data_size_limit}")
            self.command_size_limits["MAIL"] += 26
        if not self._decode_data:
            self.push("250-8BITMIME")
        if self.enable_SMTPUTF8:
            self.push("250-SMTPUTF8")
            self.command_size_limits["MAIL"] += 10
        self.push("250 HELP")

    def _greeted(self, command: str, arg: str | None) -> bool:
        """Return whether this is the first greeting, with a name; refuse it otherwise."""
        if not arg:
            self._refuse_syntax(command)
        elif self.seen_greeting:
            self.push("503 Duplicate HELO/EHLO")
        else:
            self._set_rset_state()
            self.seen_greeting = arg
            return True
        return False

    def smtp_NOOP(self, arg: _Argument) -> None:
        if arg:
            self._refuse_syntax("NOOP")
        else:
            self.push("250 OK")

    def smtp_QUIT(self, arg: _Argument) -> None:
        self.push("221 Bye")
        self.close_when_done()

    def smtp_RSET(self, arg: _Argument) -> None:
        if arg:
            self._refuse_syntax("RSET")
            return
        self._set_rset_state()
        self.push("250 OK")

    def smtp_EXPN(self, arg: _Argument) -> None:
        self.push("502 EXPN not implemented")

    def smtp_HELP(self, arg: _Argument) -> None:
        if arg and arg.upper() in _SYNTAX:
            self.push(f"250 {self._syntax(arg.upper())}")
        else:
            self.push(f"{501 if arg else 250} Supported commands: {' '.join(_SYNTAX)}")

    def smtp_VRFY(self, arg: _Argument) -> None:
        if not arg:
            self._refuse_syntax("VRFY")
            return
        address, _ = self._getaddr(arg)
        if address:
            self.push("252 Cannot VRFY user, but will accept message and attempt delivery")
        else:
            self.push(f"502 Could not VRFY {arg}")

    def smtp_MAIL(self, arg: _Argument) -> None:
        if not self.seen_greeting:
            self.push("503 Error: send HELO first")
            return
        print("===> MAIL", arg, file=DEBUGSTREAM)
        address, rest = self._addressed("MAIL", "FROM:", arg)
        if not address:
            return
        if self.mailfrom:
            self.push("503 Error: nested MAIL command")
            return
        self.mail_options = rest.upper().split()
        parameters = self._getparams(self.mail_options)
        if parameters is None:
            self._refuse_syntax("MAIL")
        elif self._takes(parameters):
            self.mailfrom = address
            print("sender:", self.mailfrom, file=DEBUGSTREAM)
            self.push("250 OK")

    def _takes(self, parameters: dict[str, Any]) -> bool:
        """Accept the known parameters of MAIL, and refuse the others."""
        if not self._decode_data and parameters.pop("BODY", "7BIT") not in ("7BIT", "8BITMIME"):
            self.push("501 Error: BODY can only be one of 7BIT, 8BITMIME")
            return False
        if self.enable_SMTPUTF8:
            wanted = parameters.pop("SMTPUTF8", False)
            if wanted is True:
                self.require_SMTPUTF8 = True
            elif wanted is not False:
                self.push("501 Error: SMTPUTF8 takes no arguments")
                return False
        size = parameters.pop("SIZE", None)
        if size:
            if not size.isdigit():
                self._refuse_syntax("MAIL")
                return False
            if self.data_size_limit and int(size) > self.data_size_limit:
                self.push("552 Error: message size exceeds fixed maximum message size")
                return False
        if parameters:
            self.push("555 MAIL FROM parameters not recognized or not implemented")
            return False
        return True

    def smtp_RCPT(self, arg: _Argument) -> None:
        if not self.seen_greeting:
            self.push("503 Error: send HELO first")
            return
        print("===> RCPT", arg, file=DEBUGSTREAM)
        if not self.mailfrom:
            self.push("503 Error: need MAIL command")
            return
        address, rest = self._addressed("RCPT", "TO:", arg)
        if not address:
            return
        self.rcpt_options = rest.upper().split()
        parameters = self._getparams(self.rcpt_options)
        if parameters is None:
            self._refuse_syntax("RCPT")
        elif parameters:
            self.push("555 RCPT TO parameters not recognized or not implemented")
        else:
            self.rcpttos.append(address)
            print("recips:", self.rcpttos, file=DEBUGSTREAM)
            self.push("250 OK")

    def smtp_DATA(self, arg: _Argument) -> None:
        if not self.seen_greeting:
            self.push("503 Error: send HELO first")
        elif not self.rcpttos:
            self.push("503 Error: need RCPT command")
        elif arg:
            self._refuse_syntax("DATA")
        else:
            self.smtp_state = self.DATA
            self.set_terminator(b"\r\n.\r\n")
            self.push("354 End data with <CR><LF>.<CR><LF>")

    # -- what commands have in common ---------------------------------------------------------

    def _syntax(self, command: str) -> str:
        parameters = " [SP <mail-parameters>]"
        extended = self.extended_smtp and command in _PARAMETERS
        return f"Syntax: {_SYNTAX[command]}{parameters if extended else ''}"

    def _refuse_syntax(self, command: str) -> None:
        self.push(f"501 {self._syntax(command)}")

    def _addressed(self, command: str, keyword: str, arg: str | None) -> tuple[str, str]:
        """Return the address and what follows it, or refuse and return no address.

        Parameters are allowed only after EHLO.
        """
        address, rest = "", ""
        if arg:
            address, rest = self._getaddr(self._strip_command_keyword(keyword, arg))
        if not address or (rest and not self.extended_smtp):
            self._refuse_syntax(command)
            return "", ""
        return address, rest

    def _strip_command_keyword(self, keyword: str, arg: str) -> str:
        """Return what follows the keyword, or nothing if it is another keyword."""
        if arg[: len(keyword)].upper() != keyword:
            return ""
        return arg[len(keyword) :].strip()

    def _getaddr(self, arg: str | None) -> tuple[str, str]:
        """Return the address at the beginning, without its brackets, and what follows it."""
        if not arg:
            return "", ""
        parse = get_angle_addr if arg.lstrip().startswith("<") else get_addr_spec
        address, rest = parse(arg)
        return address.addr_spec, rest

    def _getparams(self, params: list[str]) -> dict[str, Any] | None:
        """Return the parameters by name, True if without a value. `None` if one is malformed."""
        found: dict[str, Any] = {}
        for parameter in params:
            name, equals, value = parameter.partition("=")
            if not name.isalnum() or (equals and not value):
                return None
            found[name] = value if equals else True
        return found


def _check_text(enable_SMTPUTF8: object, decode_data: object) -> None:
    if enable_SMTPUTF8 and decode_data:
        raise ValueError("decode_data and enable_SMTPUTF8 cannot be set to True at the same time")


class SMTPServer(asyncore.dispatcher):
    """Listens at an address, and passes each message to `process_message()`."""

    channel_class: type[SMTPChannel] | Any = SMTPChannel
    """The class of the channel for each connection."""

    data_size_limit: int | Any
    enable_SMTPUTF8: bool

    def __init__(
        self,
        localaddr: _Address,
        remoteaddr: _Address,
        data_size_limit: int | None = DATA_SIZE_DEFAULT,
        map: asyncore._Map | None = None,
        enable_SMTPUTF8: bool = False,
        decode_data: bool = False,
    ) -> None:
        """Listen at `localaddr`; `remoteaddr` is for subclasses that forward messages.

        A message may have `data_size_limit` bytes; `None` or 0 means no limit. With `decode_data`,
        messages are decoded from UTF-8; otherwise they are bytes. Raises `ValueError` if both
        `enable_SMTPUTF8` and `decode_data` are true.
        """
        self._localaddr = localaddr
        self._remoteaddr = remoteaddr
        self.data_size_limit = data_size_limit
        self.enable_SMTPUTF8 = enable_SMTPUTF8
        self._decode_data = decode_data
        _check_text(enable_SMTPUTF8, decode_data)
        asyncore.dispatcher.__init__(self, map=map)
        try:
            family, kind = socket.getaddrinfo(*localaddr, type=socket.SOCK_STREAM)[0][:2]  # type: ignore[misc]
            self.create_socket(family, kind)
            self.set_reuse_addr()
            self.bind(localaddr)
            self.listen(5)
        except BaseException:
            self.close()
            raise
        print(
            f"{type(self).__name__} started at {time.ctime(time.time())}\n"
            f"\tLocal addr: {localaddr}\n\tRemote addr:{remoteaddr}",
            file=DEBUGSTREAM,
        )

    def handle_accepted(self, conn: Any, addr: Any) -> None:
        print(f"Incoming connection from {addr!r}", file=DEBUGSTREAM)
        self.channel_class(
            self, conn, addr, self.data_size_limit, self._map, self.enable_SMTPUTF8,
            self._decode_data,
        )  # fmt: skip

    # -- for subclasses -----------------------------------------------------------------------

    @_loose  # type: ignore[arg-type]
    def process_message(
        self, peer: _Address, mailfrom: str, rcpttos: list[str], data: Any, **kwargs: Any
    ) -> str | None:
        """Process a message. Subclasses must override this.

        `peer` is the client's address; `mailfrom` and `rcpttos` are the raw addresses that it
        named. `data` is the message: its lines end in a newline, and the dots that SMTP puts before
        leading dots are gone. It is bytes, or text if the server was made with `decode_data`. Only
        bytes come with keywords: `mail_options` and `rcpt_options`, lists of the parameters of MAIL
        and of the last RCPT, in capital letters ("BODY=8BITMIME", "SMTPUTF8").

        Return `None` for the reply "250 OK", or a string with another SMTP reply.
        """
        raise NotImplementedError


class DebuggingServer(SMTPServer):
    """Prints messages to standard output, and discards them."""

    def _print_message_content(self, peer: _Address, data: Any) -> None:
        in_headers = True
        for line in data.splitlines():
            if in_headers and not line:
                mark = f"X-Peer: {peer[0]}"
                # Bytes are printed as their repr.
                print(mark if isinstance(data, str) else repr(mark.encode()))
                in_headers = False
            print(line if isinstance(data, str) else repr(line))

    @_loose  # type: ignore[arg-type]
    def process_message(
        self, peer: _Address, mailfrom: str, rcpttos: list[str], data: Any, **kwargs: Any
    ) -> str | None:
        print("---------- MESSAGE FOLLOWS ----------")
        if kwargs.get("mail_options"):
            print(f"mail options: {kwargs['mail_options']}")
        if kwargs.get("rcpt_options"):
            print(f"rcpt options: {kwargs['rcpt_options']}\n")
        self._print_message_content(peer, data)
        print("------------ END MESSAGE ------------")
        return None


class PureProxy(SMTPServer):
    """Forwards each message to the server at `remoteaddr`. Requires `decode_data=True`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As `SMTPServer`; raises `ValueError` for a true keyword `enable_SMTPUTF8`."""
        if kwargs.get("enable_SMTPUTF8"):
            raise ValueError("PureProxy does not support SMTPUTF8.")
        super().__init__(*args, **kwargs)

    @_loose
    def process_message(
        self, peer: _Address, mailfrom: str, rcpttos: list[str], data: Any
    ) -> str | None:
        lines = data.split("\n")
        end_of_headers = lines.index("") if "" in lines else len(lines)
        lines.insert(end_of_headers, f"X-Peer: {peer[0]}")
        refused = self._deliver(mailfrom, rcpttos, NEWLINE.join(lines))
        print("we got some refusals:", refused, file=DEBUGSTREAM)
        return None

    def _deliver(self, mailfrom: str, rcpttos: list[str], data: str) -> dict[str, Any]:
        """Send the message; return the recipients that were refused, with code and text."""
        import smtplib

        try:
            server = smtplib.SMTP()
            server.connect(self._remoteaddr[0], self._remoteaddr[1])
            try:
                return server.sendmail(mailfrom, rcpttos, data)
            finally:
                server.quit()
        except smtplib.SMTPRecipientsRefused as refused:
            print("got SMTPRecipientsRefused", file=DEBUGSTREAM)
            return refused.recipients
        except (OSError, smtplib.SMTPException) as error:
            print("got", type(error), file=DEBUGSTREAM)
            code = getattr(error, "smtp_code", -1)
            text = getattr(error, "smtp_error", "ignore")
            return dict.fromkeys(rcpttos, (code, text))


class Options:
    """The options of the command line; the class has the defaults."""

    setuid: bool = True
    classname: str = "PureProxy"
    size_limit: int | None = None
    enable_SMTPUTF8: bool = False
    localhost: str
    localport: int
    remotehost: str
    remoteport: int


def parseargs() -> Options:
    """Parse `sys.argv`; exit with a message if it is wrong."""
    global DEBUGSTREAM
    try:
        found, places = getopt.getopt(
            sys.argv[1:],
            "nVhc:s:du",
            ["class=", "nosetuid", "version", "help", "size=", "debug", "smtputf8"],
        )
    except getopt.error as error:
        usage(1, str(error))
    options = Options()
    for name, value in found:
        match name:
            case "-h" | "--help":
                usage(0)
            case "-V" | "--version":
                print(__version__)
                sys.exit(0)
            case "-n" | "--nosetuid":
                options.setuid = False
            case "-c" | "--class":
                options.classname = value
            case "-d" | "--debug":
                DEBUGSTREAM = sys.stderr
            case "-u" | "--smtputf8":
                options.enable_SMTPUTF8 = True
            case "-s" | "--size":
                try:
                    options.size_limit = int(value)
                except ValueError:
                    print("Invalid size: " + value, file=sys.stderr)
                    sys.exit(1)
    if len(places) > 2:
        usage(1, f"Invalid arguments: {COMMASPACE.join(places)}")
    local, remote = [*places, *["localhost:8025", "localhost:25"][len(places) :]]
    options.localhost, options.localport = _place("local", local)
    options.remotehost, options.remoteport = _place("remote", remote)
    return options


def _place(kind: str, spec: str) -> tuple[str, int]:
    host, colon, port = spec.partition(":")
    if not colon:
        usage(1, f"Bad {kind} spec: {spec}")
    try:
        return host, int(port)
    except ValueError:
        usage(1, f"Bad {kind} port: {spec}")


if hasattr(asyncore, "_hide_annotations"):
    asyncore._hide_annotations(globals())
del annotations, TYPE_CHECKING
