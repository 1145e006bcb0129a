"""The modules' names and signatures are CPython 3.11's, and importing them does nothing else."""

import asynchat
import asyncore
import errno
import inspect
import os
import select
import socket
import sys
import time
import typing
import warnings

import pytest
from support import run_python

# As observed on CPython 3.11.7; annotations are ours to add.
ASYNCORE_NAMES = {
    *("select", "socket", "sys", "time", "warnings", "os", "errorcode"),
    *("EALREADY", "EINPROGRESS", "EWOULDBLOCK", "ECONNRESET", "EINVAL", "ENOTCONN", "ESHUTDOWN"),
    *("EISCONN", "EBADF", "ECONNABORTED", "EPIPE", "EAGAIN"),
    *("socket_map", "ExitNow", "read", "write", "readwrite", "poll", "poll2", "poll3", "loop"),
    *("dispatcher", "dispatcher_with_send", "compact_traceback", "close_all"),
    *("file_wrapper", "file_dispatcher"),
}
ASYNCHAT_NAMES = {"asyncore", "deque", "async_chat", "simple_producer", "find_prefix_at_end"}

SIGNATURES = {
    "asyncore": {
        "_exception": "(obj)",
        "_strerror": "(err)",
        "close_all": "(map=None, ignore_all=False)",
        "compact_traceback": "()",
        "loop": "(timeout=30.0, use_poll=False, map=None, count=None)",
        "poll": "(timeout=0.0, map=None)",
        "poll2": "(timeout=0.0, map=None)",
        "poll3": "(timeout=0.0, map=None)",
        "read": "(obj)",
        "readwrite": "(obj, flags)",
        "write": "(obj)",
    },
    "asyncore.dispatcher": {
        "__init__": "(self, sock=None, map=None)",
        "__repr__": "(self)",
        "accept": "(self)",
        "add_channel": "(self, map=None)",
        "bind": "(self, addr)",
        "close": "(self)",
        "connect": "(self, address)",
        "create_socket": "(self, family=AF_INET, type=SOCK_STREAM)",
        "del_channel": "(self, map=None)",
        "handle_accept": "(self)",
        "handle_accepted": "(self, sock, addr)",
        "handle_close": "(self)",
        "handle_connect": "(self)",
        "handle_connect_event": "(self)",
        "handle_error": "(self)",
        "handle_expt": "(self)",
        "handle_expt_event": "(self)",
        "handle_read": "(self)",
        "handle_read_event": "(self)",
        "handle_write": "(self)",
        "handle_write_event": "(self)",
        "listen": "(self, num)",
        "log": "(self, message)",
        "log_info": "(self, message, type='info')",
        "readable": "(self)",
        "recv": "(self, buffer_size)",
        "send": "(self, data)",
        "set_reuse_addr": "(self)",
        "set_socket": "(self, sock, map=None)",
        "writable": "(self)",
    },
    "asyncore.dispatcher_with_send": {
        "__init__": "(self, sock=None, map=None)",
        "handle_write": "(self)",
        "initiate_send": "(self)",
        "send": "(self, data)",
        "writable": "(self)",
    },
    "asyncore.file_dispatcher": {
        "__init__": "(self, fd, map=None)",
        "set_file": "(self, fd)",
    },
    "asyncore.file_wrapper": {
        "__del__": "(self)",
        "__init__": "(self, fd)",
        "close": "(self)",
        "fileno": "(self)",
        "getsockopt": "(self, level, optname, buflen=None)",
        "read": "(self, *args)",
        "recv": "(self, *args)",
        "send": "(self, *args)",
        "write": "(self, *args)",
    },
    "asynchat": {"find_prefix_at_end": "(haystack, needle)"},
    "asynchat.async_chat": {
        "__init__": "(self, sock=None, map=None)",
        "_collect_incoming_data": "(self, data)",
        "_get_data": "(self)",
        "close_when_done": "(self)",
        "collect_incoming_data": "(self, data)",
        "discard_buffers": "(self)",
        "found_terminator": "(self)",
        "get_terminator": "(self)",
        "handle_close": "(self)",
        "handle_read": "(self)",
        "handle_write": "(self)",
        "initiate_send": "(self)",
        "push": "(self, data)",
        "push_with_producer": "(self, producer)",
        "readable": "(self)",
        "set_terminator": "(self, term)",
        "writable": "(self)",
    },
    "asynchat.simple_producer": {
        "__init__": "(self, data, buffer_size=512)",
        "more": "(self)",
    },
}


def shape(function):
    """The signature without annotations, enumerations by name."""
    parts = []
    for parameter in inspect.signature(function).parameters.values():
        text = "*" * (parameter.kind is parameter.VAR_POSITIONAL) + parameter.name
        if parameter.default is not parameter.empty:
            default = parameter.default
            text += "=" + (getattr(default, "name", None) or repr(default))
        assert parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.VAR_POSITIONAL)
        parts.append(text)
    return "(" + ", ".join(parts) + ")"


def owner(path):
    module, _, name = path.partition(".")
    module = {"asyncore": asyncore, "asynchat": asynchat}[module]
    return getattr(module, name) if name else module


@pytest.mark.parametrize(
    "path, name", [(path, name) for path, names in SIGNATURES.items() for name in names]
)
def test_signature_equals_the_reference(path, name):
    assert shape(getattr(owner(path), name)) == SIGNATURES[path][name]


@pytest.mark.parametrize("path", [path for path in SIGNATURES if "." in path])
def test_a_class_has_the_methods_of_the_reference_and_no_other(path):
    kind = owner(path)
    methods = {
        name
        for name in vars(kind)
        if callable(getattr(kind, name)) and name not in ("__class__", "__static_attributes__")
    }
    public = {name for name in methods if not name.startswith("_")}
    assert public == {name for name in SIGNATURES[path] if not name.startswith("_")}
    assert set(SIGNATURES[path]) - set(dir(kind)) == set()


@pytest.mark.parametrize("module, names", [(asyncore, ASYNCORE_NAMES), (asynchat, ASYNCHAT_NAMES)])
def test_public_namespace_equals_the_reference(module, names):
    assert {name for name in vars(module) if not name.startswith("_")} == names


@pytest.mark.parametrize(
    "module, names", [("asyncore", ASYNCORE_NAMES), ("asynchat", ASYNCHAT_NAMES)]
)
def test_star_import_gives_the_public_namespace(module, names):
    space = {}
    exec(f"from {module} import *", space)
    assert {name for name in space if name != "__builtins__"} == names


def test_modules_in_the_namespace_are_the_real_ones():
    assert (asyncore.select, asyncore.socket, asyncore.sys) == (select, socket, sys)
    assert (asyncore.time, asyncore.os, asyncore.warnings) == (time, os, warnings)
    assert asyncore.errorcode is errno.errorcode
    assert asynchat.asyncore is asyncore


@pytest.mark.parametrize(
    "name", [name for name in ASYNCORE_NAMES if name.startswith("E") and name.isupper()]
)
def test_errno_names_have_their_numbers(name):
    assert getattr(asyncore, name) == getattr(errno, name)


def test_disconnected_holds_the_errnos_of_a_lost_connection():
    assert isinstance(asyncore._DISCONNECTED, frozenset)
    names = ("ECONNRESET", "ENOTCONN", "ESHUTDOWN", "ECONNABORTED", "EPIPE", "EBADF")
    assert asyncore._DISCONNECTED == {getattr(errno, name) for name in names}  # noqa: SIM300


def test_private_names_that_programs_touch():
    assert asyncore._reraised_exceptions == (asyncore.ExitNow, KeyboardInterrupt, SystemExit)
    assert asyncore._strerror(errno.EPIPE) == os.strerror(errno.EPIPE)
    assert asyncore._strerror(99999) == "Unknown error 99999"
    assert asyncore.poll3 is asyncore.poll2
    assert asyncore.ExitNow.__mro__[1] is Exception
    assert type(asyncore.socket_map) is dict


def test_class_hierarchy():
    assert asyncore.dispatcher.__mro__ == (asyncore.dispatcher, object)
    assert asyncore.dispatcher_with_send.__mro__[1] is asyncore.dispatcher
    assert asyncore.file_dispatcher.__mro__[1] is asyncore.dispatcher
    assert asyncore.file_wrapper.__mro__ == (asyncore.file_wrapper, object)
    assert asynchat.async_chat.__mro__[1] is asyncore.dispatcher
    assert asynchat.simple_producer.__mro__ == (asynchat.simple_producer, object)


@pytest.mark.parametrize("module", ["asyncore", "asynchat"])
def test_functions_and_classes_name_their_module(module):
    space = sys.modules[module]
    for name, value in vars(space).items():
        if inspect.isclass(value) and value.__name__ == name and name not in ("deque",):
            assert value.__module__ == module
            assert value.__qualname__ == name


def test_type_hints_of_a_program_are_its_own():
    class Channel(asynchat.async_chat):
        label: str

    assert typing.get_type_hints(Channel) == {"label": str}
    assert typing.get_type_hints(asyncore.file_dispatcher) == {}
    assert typing.get_type_hints(asyncore.dispatcher.handle_accepted) == {}
    assert typing.get_type_hints(asyncore) == typing.get_type_hints(asynchat) == {}


@pytest.mark.ours_only("3.11 announces the removal that made this module necessary")
def test_import_gives_no_deprecation_warning():
    run_python(
        "import sys, warnings; warnings.resetwarnings(); warnings.simplefilter('error');"
        "import asyncore, asynchat, goasyncore"
    )


def test_import_starts_no_thread_and_loads_no_extension():
    run_python(
        """
        import os, sys
        import asyncore, asynchat
        assert not [name for name in sys.modules if "_binding" in name], sys.modules.keys()
        if os.path.exists("/proc/self/task"):
            assert len(os.listdir("/proc/self/task")) == 1
            with open("/proc/self/maps") as maps:
                assert "_binding" not in maps.read()
        """
    )
