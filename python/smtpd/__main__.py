"""`python -m smtpd`: run a server of the class that the command line names."""

import asyncore
import contextlib
import os
import smtpd
import sys

# In 3.11 the module was one file, so this one has all its names: `--class DebuggingServer` is
# looked up here. The same holds for a class of a program that a debugger or profiler runs.
from smtpd import *  # noqa: F403

import goasyncore


def main() -> None:
    smtpd.program = sys.argv[0]  # which was not known when the package was imported
    options = smtpd.parseargs()
    module, _, name = options.classname.rpartition(".")
    if "." in options.classname:
        place = __import__(module, globals(), locals(), [""])
    else:
        import __main__ as place
    server = getattr(place, name)
    server(
        (options.localhost, options.localport),
        (options.remotehost, options.remoteport),
        options.size_limit,
        enable_SMTPUTF8=options.enable_SMTPUTF8,
    )
    if options.setuid:
        _become_nobody()
    with contextlib.suppress(KeyboardInterrupt):
        asyncore.loop()


def _become_nobody() -> None:
    """Give up root's privileges, including its groups, after the port is bound."""
    goasyncore.backend()  # its files may be readable by root only
    try:
        import pwd
    except ImportError:
        print('Cannot import module "pwd"; try running with -n option.', file=sys.stderr)
        sys.exit(1)
    nobody = pwd.getpwnam("nobody")
    try:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
    except PermissionError:
        print('Cannot setuid "nobody"; try running with -n option.', file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
