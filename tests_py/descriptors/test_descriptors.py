"""Descriptors: closed behind our back, reused, high numbers."""

import errno
import fcntl
import os
import resource
import socket

import pytest
from support import Recorder, one_pass, pair, run_until


def close_behind(channel):
    os.close(channel._fileno)


def keep_looping(use_poll, channels):
    """Loop until the closed descriptor shows: in the next pass in 3.11 and in the portable backend.

    epoll forgets a descriptor that is closed, so the native backend finds out when it looks again.
    """
    alive = len(channels)
    run_until(lambda: len(channels) < alive, channels, use_poll)


@pytest.fixture(params=["first pass", "new", "served"])
def closed(request, channels, closing):
    """closed(use_poll, wants): a channel whose descriptor is closed, and what to loop with.

    In the first pass over a map, what the loop opens for itself may get the number just closed.
    """

    def make(use_poll, wants):
        near, far = pair()
        closing(far)
        if request.param == "new":
            idle, idle_far = closing(*pair())
            quiet = Recorder(idle, channels)
            one_pass(use_poll, channels)
            quiet.del_channel()
        channel = Recorder(near, channels, wants=wants)
        if request.param == "served":
            one_pass(use_poll, channels)
            channel.seen.clear()
        close_behind(channel)
        return channel, keep_looping if request.param == "served" else one_pass

    return make


@pytest.mark.parametrize("wants", ["r", "w", "rw"])
def test_poll_raises_for_a_descriptor_closed_behind_our_back(channels, closed, wants):
    channel, loop = closed(False, wants)
    with pytest.raises(OSError) as caught:
        loop(False, channels)
    assert caught.value.errno == errno.EBADF
    assert channel.events == []


@pytest.mark.parametrize("wants", ["r", "w", "rw"])
def test_poll2_closes_a_channel_closed_behind_our_back(channels, closed, wants):
    channel, loop = closed(True, wants)
    loop(True, channels)
    assert channel.events == ["close"]
    assert channel not in channels.values()


def test_a_closed_descriptor_nobody_waits_for_goes_unnoticed(use_poll, channels, closing):
    near, far = pair()
    closing(far)
    channel = Recorder(near, channels, wants="")
    close_behind(channel)
    one_pass(use_poll, channels)
    assert channel.events == []


def test_poll_with_a_closed_descriptor_tells_nobody(channels, closing):
    (near, far), (other, other_far) = pair(), pair()
    closing(far, other_far)
    other_far.send(b"x")
    good = Recorder(other, channels, wants="")
    one_pass(False, channels)
    bad = Recorder(near, channels)
    good.wants = "r"
    close_behind(bad)
    with pytest.raises(OSError):
        one_pass(False, channels)
    assert good.events == []
    bad.del_channel()
    one_pass(False, channels)
    assert good.events == ["read"]
    near.detach()


def test_poll2_with_a_closed_descriptor_still_serves_the_others(channels, closing):
    (near, far), (other, other_far) = pair(), pair()
    closing(far, other_far)
    other_far.send(b"x")
    good = Recorder(other, channels, wants="")
    one_pass(True, channels)
    bad = Recorder(near, channels)
    good.wants = "r"
    close_behind(bad)
    one_pass(True, channels)
    assert (bad.events, good.events) == (["close"], ["read"])


def test_a_closed_socket_that_stays_in_the_map(use_poll, channels, closing):
    """The program closed the socket, not the channel."""
    near, far = pair()
    closing(far)
    channel = Recorder(near, channels)
    one_pass(use_poll, channels)
    channel.socket.close()
    if use_poll:
        keep_looping(use_poll, channels)
        assert channel.events == ["close"]
    else:
        with pytest.raises(OSError):
            keep_looping(use_poll, channels)


def test_a_number_used_again_serves_the_new_channel(use_poll, channels, closing):
    near, far = pair()
    closing(far)
    first = Recorder(near, channels)
    far.send(b"x")
    one_pass(use_poll, channels)
    fd = near.fileno()
    new, new_far = pair()
    closing(new_far)
    first.close()
    os.dup2(new.fileno(), fd)
    new.close()
    second = Recorder(socket.socket(fileno=fd), channels)
    one_pass(use_poll, channels)
    assert second.events == []
    new_far.send(b"x")
    one_pass(use_poll, channels)
    assert (first.events, second.events) == (["read"], ["read"])


def test_a_number_used_again_while_its_old_file_lives_on_elsewhere(use_poll, channels, closing):
    near, far = pair()
    closing(far)
    kept = closing(near.dup())
    first = Recorder(near, channels)
    one_pass(use_poll, channels)
    fd = near.fileno()
    new, new_far = pair()
    closing(new_far)
    first.close()
    far.send(b"for the old one")
    os.dup2(new.fileno(), fd)
    new.close()
    second = Recorder(socket.socket(fileno=fd), channels)
    one_pass(use_poll, channels)
    one_pass(use_poll, channels)
    assert second.events == []
    new_far.send(b"x")
    one_pass(use_poll, channels)
    assert second.events == ["read"]
    assert kept.recv(100) == b"for the old one"


def test_another_file_put_under_the_number_of_a_channel(use_poll, channels, closing):
    """dup2() behind our back: the number is what counts, not the file it was."""
    near, far = pair()
    closing(far)
    channel = Recorder(near, channels)
    one_pass(use_poll, channels)
    new, new_far = pair()
    closing(new_far)
    new_far.send(b"x")
    os.dup2(new.fileno(), near.fileno())
    new.close()
    run_until(lambda: channel.events, channels, use_poll)
    assert channel.events == ["read"]


def test_two_numbers_of_one_file(use_poll, channels, closing):
    near, far = pair()
    closing(far)
    first = Recorder(near, channels)
    second = Recorder(near.dup(), channels)
    far.send(b"x")
    one_pass(use_poll, channels)
    assert (first.events, second.events) == (["read"], ["read"])
    first.close()
    one_pass(use_poll, channels)
    assert (first.events, second.events) == (["read"], ["read", "read"])


@pytest.fixture
def high_number():
    """The numbers from 1500 on may be used."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1600:
        pytest.skip("the system allows fewer than 1600 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1600), hard))
    yield 1500
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def high_pair(number):
    near, far = pair()
    fd = fcntl.fcntl(near, fcntl.F_DUPFD_CLOEXEC, number)
    near.close()
    return socket.socket(fileno=fd), far


def check_high(use_poll, channels, closing, number):
    (near, far), (low, low_far) = high_pair(number), pair()
    closing(far, low_far)
    assert near.fileno() >= number
    far.send(b"x")
    low_far.send(b"x")
    high = Recorder(near, channels, wants="rw")
    other = Recorder(low, channels)
    one_pass(use_poll, channels)
    assert (high.events, other.events) == (["read", "write"], ["read"])
    far.close()
    high.wants = "r"
    high.seen.clear()
    one_pass(use_poll, channels)
    assert high.events == (["read", "close"] if use_poll else ["read"])


@pytest.mark.ours_only("select.select() ends at 1023")
def test_numbers_above_1023_with_poll(channels, closing, high_number):
    check_high(False, channels, closing, high_number)


def test_numbers_above_1023_with_poll2(channels, closing, high_number):
    check_high(True, channels, closing, high_number)


@pytest.mark.ours_only("select.select() ends at 1023")
def test_a_high_number_closed_behind_our_back(channels, closing, high_number):
    near, far = high_pair(high_number)
    closing(far)
    channel = Recorder(near, channels)
    one_pass(False, channels)
    close_behind(channel)
    with pytest.raises(OSError) as caught:
        keep_looping(False, channels)
    assert caught.value.errno == errno.EBADF
