"""compact_traceback(): the innermost place, the exception, the way there."""

import asyncore
import sys

import pytest


def inner():
    raise KeyError("deep")


def outer():
    inner()


def test_the_tuple_names_the_innermost_place_and_the_way_there():
    try:
        outer()
    except KeyError as error:
        raised = error
        (file, function, line), kind, value, info = asyncore.compact_traceback()
    assert (file, function, line) == (__file__, "inner", str(inner.__code__.co_firstlineno + 1))
    assert (kind, value) == (KeyError, raised)
    here = "test_the_tuple_names_the_innermost_place_and_the_way_there"
    names = [part.split("|")[1] for part in info.split("] [")]
    assert names == [here, "outer", "inner"]
    assert info.startswith("[") and info.endswith("]")
    assert info.count(f"[{__file__}|") == 3
    assert f"|outer|{outer.__code__.co_firstlineno + 1}]" in info


def test_the_tuple_has_four_parts_and_strings_where_it_says_so():
    try:
        outer()
    except KeyError:
        result = asyncore.compact_traceback()
    assert type(result) is tuple and len(result) == 4
    assert [type(part) for part in result[0]] == [str, str, str]
    assert type(result[3]) is str


def test_nothing_handled_is_an_assertion_error():
    assert sys.exc_info() == (None, None, None)
    with pytest.raises(AssertionError, match="traceback does not exist"):
        asyncore.compact_traceback()


def test_an_exception_without_a_traceback_is_an_assertion_error():
    class Raising:
        def __enter__(self):
            return self

        def __exit__(self, kind, value, traceback):
            value.__traceback__ = None
            sys.exc_info()[1].__traceback__ = None
            with pytest.raises(AssertionError):
                asyncore.compact_traceback()
            return True

    with Raising():
        raise ValueError


def test_the_exception_in_hand_is_left_as_it_was():
    try:
        outer()
    except KeyError as error:
        before = error.__traceback__
        asyncore.compact_traceback()
        assert error.__traceback__ is before
        assert sys.exc_info()[1] is error
