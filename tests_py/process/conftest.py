"""A loop in a thread, for tests that use it from another one."""

import pytest
from looping import REPETITIONS, Loop


@pytest.fixture
def loop(use_poll, closing):
    # `closing` first: what it closes is open until the loop has ended.
    loop = Loop(use_poll)
    yield loop
    loop.end()


@pytest.fixture(params=range(REPETITIONS), ids=str)
def repeated(request):
    """Much depends on how the threads happen to run."""
