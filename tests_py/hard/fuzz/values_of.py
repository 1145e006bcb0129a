"""Makes a value of its description, which is JSON: so that processes can be handed the same one."""

import array
import collections
import socket

HUGE = 2**70
# What a method of an odd object does instead of what it should.
WAYS = {
    "raises": None,
    "zero": 0,
    "one": 1,
    "minus": -5,
    "huge": HUGE,
    "nothing": None,
    "true": True,
    "false": False,
    "bytes": b"odd",
    "empty": b"",
    "text": "odd",
    "list": [b"odd"],
}
METHODS = ["__bool__", "__len__", "__int__", "__index__", "__float__", "__eq__", "__hash__"]
METHODS += ["__iter__", "__getitem__", "__call__", "__add__", "__radd__", "__lt__", "__contains__"]
METHODS += ["__buffer__", "__str__", "__repr__", "__get__", "__set__", "__getattr__"]
METHODS += ["fileno", "recv", "send", "close", "accept", "getsockopt", "setblocking", "getpeername"]
METHODS += ["more", "find", "startswith", "append", "appendleft", "popleft", "clear", "items"]
METHODS += ["get", "values", "readable", "writable", "handle_read_event", "handle_error"]
METHODS += ["handle_write_event", "handle_close", "accepting", "connected"]
BASES = {
    base.__name__: base for base in (int, float, str, bytes, bytearray, list, tuple, dict, set)
}
BASES |= {"deque": collections.deque, "object": object, "OSError": OSError}


def method(name, way):
    def misbehave(self, *args, **keywords):
        if way == "raises":
            raise ArithmeticError(name)
        if way == "bytes" and name == "__buffer__":
            return memoryview(b"odd")
        return WAYS[way]

    return misbehave


def odd(base, inner, methods):
    namespace = {name: method(name, way) for name, way in methods.items()}
    if "__eq__" in namespace:
        namespace.setdefault("__hash__", object.__hash__)
    kind = type(f"Odd{base}", (BASES[base],), namespace)
    try:
        # Of a number bytes would make so many zeros.
        return (
            kind()
            if base == "object" or (isinstance(inner, int) and "byte" in base)
            else kind(inner)
        )
    except Exception:
        return kind()


def build(spec, stage):
    """The value that `spec` describes; `stage` has what is shared in a program."""
    kind, *rest = spec
    if kind in ("int", "text", "constant"):
        return rest[0]
    if kind == "float":
        return float(rest[0])
    if kind in ("bytes", "bytearray", "memoryview", "released", "wide"):
        data = bytes.fromhex(rest[0]) * rest[1]
        if kind == "wide":
            return memoryview(array.array("H", data + data))
        value = data if kind == "bytes" else bytearray(data)
        if kind in ("memoryview", "released"):
            value = memoryview(value)
        if kind == "released":
            value.release()
        return value
    if kind in ("list", "tuple", "deque", "set"):
        items = [build(item, stage) for item in rest[0]]
        try:
            return {**BASES, "deque": collections.deque}[kind](items)
        except Exception:
            return items
    if kind == "odd":
        base, inner, methods = rest
        return odd(base, build(inner, stage), methods)
    if kind == "stage":
        return stage[rest[0]]
    if kind == "socket":
        near, far = socket.socketpair()
        stage["kept"].append(far)
        if rest[0] == "closed":
            near.close()
        return near
    assert kind == "made", spec
    return {"complex": 1j, "function": len, "class": bytes, "type": type, "ellipsis": ...}[rest[0]]
