"""Event loops that maps are attached to."""

import asyncio

import pytest
from attaching import Echo
from support import LIMIT, pair


def new_loop(kind):
    if kind == "asyncio":
        return asyncio.new_event_loop()
    return pytest.importorskip("uvloop").new_event_loop()


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    """run(coroutine): in a new loop, whose exception handler fills run.loop.failures."""
    loop = new_loop(request.param)
    loop.failures = []
    loop.set_exception_handler(lambda loop, context: loop.failures.append(context))

    def run(main):
        try:
            return loop.run_until_complete(asyncio.wait_for(main, LIMIT))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())

    run.loop = loop
    yield run
    loop.close()


@pytest.fixture
def attached(goasyncore, channels):
    """A map, detached and closed at the end."""
    yield channels
    goasyncore.detach(channels)


@pytest.fixture
def kept(attached, closing):
    """A channel that stays in the map, and its peer."""
    near, far = closing(*pair())
    far.setblocking(False)
    return Echo(near, attached), far
