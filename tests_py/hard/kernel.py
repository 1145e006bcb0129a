"""Makes the kernel refuse chosen system calls, for good, in the process that asks for it.

A seccomp filter is the one way that reaches Go too, which calls the kernel without the C library.
"""

import ctypes
import errno
import platform
import struct

# audit's name of the architecture, and the numbers of the calls
MACHINES = {
    "x86_64": (
        0xC000003E,
        dict(recvfrom=45, sendto=44, epoll_ctl=233, accept4=288)
        | dict(eventfd2=290, epoll_create1=291, seccomp=317),
    ),
    "aarch64": (
        0xC00000B7,
        dict(recvfrom=207, sendto=206, epoll_ctl=21, accept4=242)
        | dict(eventfd2=19, epoll_create1=20, seccomp=277),
    ),
}
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # of the packet filter: BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
ALL_THREADS = 1  # SECCOMP_FILTER_FLAG_TSYNC
MACHINE = MACHINES.get(platform.machine())


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def refuse(call, error, **arguments):
    """From now on `call` fails with the errno called `error`.

    `arguments`, as fd=(place, number), says of which calls: those with the number in that place.
    """
    audit, numbers = MACHINE
    checks = [(4, audit), (0, numbers[call])]
    checks += [(16 + 8 * place, number) for place, number in arguments.values()]
    code = b""
    for at, (offset, value) in enumerate(checks):
        past = 2 * (len(checks) - at - 1) + 1  # instructions to the one that allows
        code += struct.pack("=HBBI", LOAD, 0, 0, offset)
        code += struct.pack("=HBBI", EQUAL, 0, past, value)
    code += struct.pack("=HBBI", RETURN, 0, 0, REFUSE | getattr(errno, error))
    code += struct.pack("=HBBI", RETURN, 0, 0, ALLOW)
    program = Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    refused = libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    refused |= libc.syscall(numbers["seccomp"], 1, ALL_THREADS, ctypes.byref(program))
    if refused:
        raise OSError(ctypes.get_errno(), "seccomp")


def main():
    """Exits with 0 where this works."""
    import os
    import socket

    refuse("recvfrom", "ENOBUFS")
    near, _ = socket.socketpair()
    try:
        near.recv(1)
    except OSError as why:
        os._exit(why.errno != errno.ENOBUFS)


if __name__ == "__main__":
    main()
