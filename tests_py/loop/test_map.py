"""The map: edited by hand, of any kind, with keys of any kind."""

import asyncore
import collections
import collections.abc
import types
import weakref

import pytest
from support import Recorder, one_pass, pair


@pytest.fixture
def ready(closing):
    """ready(map): a channel with data to read, in that map."""

    def make(channels=None, **options):
        near, far = pair()
        closing(far)
        far.send(b"x")
        channel = Recorder(near, {} if channels is None else channels, **options)
        closing(channel)
        return channel

    return make


def test_a_channel_put_in_by_hand_is_served(use_poll, channels, ready):
    channel = ready()
    channels[channel._fileno] = channel
    one_pass(use_poll, channels)
    assert channel.events == ["read"]


def test_a_channel_taken_out_by_hand_is_not(use_poll, channels, ready):
    channel = ready(channels)
    one_pass(use_poll, channels)
    del channels[channel._fileno]
    one_pass(use_poll, channels)
    channels[channel._fileno] = channel
    one_pass(use_poll, channels)
    assert channel.events == ["read"] * 2


@pytest.mark.parametrize(
    "edit",
    [
        lambda m, new: (m.clear(), m.update(new)),
        lambda m, new: ([m.pop(key) for key in list(m)], [m.setdefault(*i) for i in new.items()]),
        lambda m, new: ([m.popitem() for _ in list(m)], m.__ior__(new)),
    ],
    ids=["clear-update", "pop-setdefault", "popitem-ior"],
)
def test_a_map_emptied_and_refilled(use_poll, channels, ready, edit):
    first, second = ready(channels), ready()
    one_pass(use_poll, channels)
    edit(channels, {second._fileno: second})
    one_pass(use_poll, channels)
    one_pass(use_poll, channels)
    assert (first.events, second.events) == (["read"], ["read"] * 2)


def test_another_channel_put_under_the_number_takes_over(use_poll, channels, ready):
    first = ready(channels)
    one_pass(use_poll, channels)
    other = Recorder(first.socket, {}, wants="")
    channels[first._fileno] = other
    one_pass(use_poll, channels)
    assert (first.events, other.events) == (["read"], [])
    other.wants = "r"
    one_pass(use_poll, channels)
    assert (first.events, other.events) == (["read"], ["read"])


def test_one_channel_under_two_numbers(use_poll, channels, ready):
    first, second = ready(channels), ready()
    channels[second._fileno] = first
    one_pass(use_poll, channels)
    assert first.events == ["read"] * 2


def test_the_same_channel_in_two_maps(use_poll, channels, ready):
    channel = ready(channels)
    other = {channel._fileno: channel}
    one_pass(use_poll, channels)
    one_pass(use_poll, other)
    one_pass(use_poll, channels)
    assert channel.events == ["read"] * 3


def test_the_map_that_a_handler_empties(use_poll, channels, ready):
    class Clearing(Recorder):
        def handle_read(self):
            self.note("read")
            channels.clear()

    first = ready(channels)
    first.__class__ = Clearing
    second = ready(channels)
    asyncore.loop(use_poll=use_poll, map=channels)
    assert (first.events, second.events) == (["read"], [])


class Mapping(collections.abc.MutableMapping):
    """A mapping that is not a dict or a subclass."""

    def __init__(self):
        self.items_ = []

    def __getitem__(self, key):
        for k, value in self.items_:
            if k == key:
                return value
        raise KeyError(key)

    def __setitem__(self, key, value):
        self.items_ = [item for item in self.items_ if item[0] != key] + [(key, value)]

    def __delitem__(self, key):
        self[key]
        self.items_ = [item for item in self.items_ if item[0] != key]

    def __iter__(self):
        return iter([key for key, _ in self.items_])

    def __len__(self):
        return len(self.items_)


class Dict(dict):
    pass


KINDS = [Dict, collections.OrderedDict, lambda: collections.defaultdict(list),
         collections.UserDict, collections.ChainMap, Mapping]  # fmt: skip
KIND_IDS = ["subclass", "OrderedDict", "defaultdict", "UserDict", "ChainMap", "MutableMapping"]


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_any_mutable_mapping_will_do(use_poll, ready, kind):
    mapping = kind()

    class Closing(Recorder):
        def handle_read(self):
            self.note("read")
            self.close()

    made = [ready(mapping) for _ in range(3)]
    for channel in made:
        channel.__class__ = Closing
    asyncore.loop(use_poll=use_poll, map=mapping)
    assert [channel.events for channel in made] == [["read"]] * 3
    assert len(mapping) == 0


def test_a_read_only_view_can_be_looped_over(use_poll, channels, ready):
    channel = ready(channels)
    one_pass(use_poll, types.MappingProxyType(channels))
    assert channel.events == ["read"]


def test_a_weak_valued_map(use_poll, ready):
    mapping = weakref.WeakValueDictionary()
    channel = ready(mapping)
    asyncore.loop(timeout=0, use_poll=use_poll, map=mapping, count=2)
    assert channel.events == ["read"] * 2


def test_keys_that_are_sockets(channels, ready):
    """With poll2, 3.11 takes them too, and then finds no channel under the number it is given."""
    channel = ready()
    channels[channel.socket] = channel
    one_pass(False, channels)
    assert channel.events == ["read"]
    channels.clear()


def test_keys_that_are_sockets_beside_numbers(use_poll, channels, ready):
    keyed, numbered = ready(), ready(channels)
    channels[keyed.socket] = keyed
    one_pass(use_poll, channels)
    assert numbered.events == ["read"]
    channels.clear()


class Key(int):
    pass


def test_keys_of_a_subclass_of_int(use_poll, channels, ready):
    channel = ready()
    channels[Key(channel._fileno)] = channel
    one_pass(use_poll, channels)
    assert channel.events == ["read"]
    channels.clear()


def test_a_key_the_wait_does_not_take_is_a_type_error(use_poll, channels, ready):
    channel = ready()
    channels["key"] = channel
    with pytest.raises(TypeError):
        one_pass(use_poll, channels)
    channels.clear()


@pytest.mark.parametrize("key", [-1, -5])
def test_a_negative_key_is_a_value_error(use_poll, channels, ready, key):
    channel = ready()
    channels[key] = channel
    with pytest.raises(ValueError):
        one_pass(use_poll, channels)
    channels.clear()


def test_a_key_nobody_waits_for_may_be_anything(use_poll, channels, ready):
    quiet = ready(wants="")
    channel = ready(channels)
    channels["key"] = channels[None] = channels[-1] = quiet
    one_pass(use_poll, channels)
    assert channel.events == ["read"]
    for key in ("key", None, -1):
        del channels[key]


def test_the_events_go_to_the_channel_of_the_key_whatever_its_fileno(use_poll, channels, ready):
    channel, stranger = ready(), ready(wants="r")
    channels[channel._fileno] = stranger
    stranger.socket.recv(1)
    one_pass(use_poll, channels)
    assert (channel.events, stranger.events) == ([], ["read"])
    channels.clear()


def test_none_as_a_channel_leaves_the_loop(use_poll, channels, ready):
    channel = ready(channels)
    channels[channel._fileno] = None
    with pytest.raises(AttributeError):
        one_pass(use_poll, channels)
    channels.clear()
