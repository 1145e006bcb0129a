"""close_all(): closes every channel, then clears the map."""

import asyncore
import errno

import pytest
from support import pair


class Fake:
    def __init__(self, error=None):
        self.error, self.closed = error, 0

    def close(self):
        self.closed += 1
        if self.error:
            raise self.error


def test_every_channel_is_closed_and_the_map_cleared():
    channels = {number: Fake() for number in range(5)}
    fakes = list(channels.values())
    assert asyncore.close_all(channels) is None
    assert [fake.closed for fake in fakes] == [1] * 5
    assert channels == {}


def test_real_channels(closing):
    near, far = closing(*pair())
    channels = {}
    for sock in (near, far):
        asyncore.dispatcher(sock, channels)
    asyncore.close_all(channels)
    assert (channels, near.fileno(), far.fileno()) == ({}, -1, -1)


def test_the_default_is_the_global_map():
    fake = asyncore.socket_map[1] = Fake()
    asyncore.close_all()
    assert (asyncore.socket_map, fake.closed) == ({}, 1)


def test_an_empty_map_given_is_not_the_global_one():
    fake = asyncore.socket_map[1] = Fake()
    asyncore.close_all({})
    assert fake.closed == 0
    asyncore.socket_map.clear()


@pytest.mark.parametrize("ignore_all", [False, True])
def test_a_bad_descriptor_is_ignored(ignore_all):
    last = Fake()
    channels = {1: Fake(OSError(errno.EBADF, "")), 2: last}
    asyncore.close_all(channels, ignore_all)
    assert (channels, last.closed) == ({}, 1)


@pytest.mark.parametrize("error", [OSError(errno.EIO, ""), ValueError(), OSError()], ids=repr)
def test_another_exception_is_raised_and_the_rest_left_open(error):
    last = Fake()
    channels = {1: Fake(error), 2: last}
    with pytest.raises(type(error)) as caught:
        asyncore.close_all(channels)
    assert caught.value is error
    assert (len(channels), last.closed) == (2, 0)


@pytest.mark.parametrize("error", [OSError(errno.EIO, ""), ValueError(), OSError()], ids=repr)
def test_another_exception_is_ignored_when_told_to(error):
    last = Fake()
    channels = {1: Fake(error), 2: last}
    asyncore.close_all(channels, ignore_all=True)
    assert (channels, last.closed) == ({}, 1)


@pytest.mark.parametrize("ignore_all", [False, True])
@pytest.mark.parametrize("error", [asyncore.ExitNow, KeyboardInterrupt, SystemExit])
def test_what_is_meant_to_end_the_program_is_never_ignored(error, ignore_all):
    last = Fake()
    channels = {1: Fake(error()), 2: last}
    with pytest.raises(error):
        asyncore.close_all(channels, ignore_all)
    assert (len(channels), last.closed) == (2, 0)


def test_channels_that_take_themselves_out_while_closing():
    channels = {}

    class Leaving(Fake):
        def close(self):
            super().close()
            channels.clear()

    fakes = [Leaving() for _ in range(3)]
    channels.update(enumerate(fakes))
    asyncore.close_all(channels)
    assert [fake.closed for fake in fakes] == [1] * 3
