from __future__ import annotations

import enum
import math
import sys
from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.batch.plain import decode, encode

text = st.text(st.characters(exclude_categories=["Cs"]))
# Offsets of whole seconds, as all time zones have: CPython's ``fromisoformat`` reads an offset of
# less than a second as none at all.
zones = st.none() | st.builds(
    timezone, st.integers(-23 * 3_600, 23 * 3_600).map(lambda seconds: timedelta(seconds=seconds))
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**40), max_value=10**40)
    | st.floats(allow_nan=False)
    | st.decimals(allow_nan=False)
    | text
    | st.binary()
    | st.dates()
    | st.datetimes(timezones=zones)
    | st.times(timezones=zones)
    | st.timedeltas()
    | st.uuids()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(text, inner, max_size=4)
    ),
    max_leaves=15,
)


def shape(value: Any) -> Any:
    """The value with the types of all its parts, and Decimals as they are written."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value), [shape(each) for each in value]
    if isinstance(value, (datetime, time)):
        return type(value), value.isoformat()
    return type(value), repr(value)


@given(values)
def test_a_value_comes_back_with_its_types(value: Any) -> None:
    assert shape(decode(encode(value))) == shape(value)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(each) for key, each in reversed(value.items())}
    if isinstance(value, (list, tuple)):
        return type(value)(map(reversed_keys, value))
    return value


@given(values)
def test_the_order_of_keys_makes_no_difference(value: Any) -> None:
    assert encode(reversed_keys(value)) == encode(value)


@given(values)
def test_bytes_are_the_same_after_a_round_trip(value: Any) -> None:
    assert encode(decode(encode(value))) == encode(value)


@pytest.mark.parametrize(
    "value",
    [
        -(2**63),
        -(2**63) - 1,
        2**63,
        2**64 - 1,
        2**64,
        10**4000,
        Decimal("-0.00"),
        Decimal("1E+5"),
        Decimal("0.1000000000000000055511151231257827"),
        Decimal("NaN123"),
        Decimal("-Infinity"),
        -0.0,
        sys.float_info.min,
        math.inf,
        b"",
        b"\x00\xff",
        "nul\x00",
        (),
        ((1,), [2]),
        range(3, 9, 2),
        datetime(2026, 1, 1),
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        time(1, 2, 3, 4),
        date.min,
        timedelta.min,
        UUID(int=0),
        True,
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_the_edges_come_back(value: Any) -> None:
    decoded = decode(encode({"a": [value]}))["a"][0]
    assert shape(decoded) == shape(value)


def test_not_a_number_comes_back() -> None:
    assert math.isnan(decode(encode(math.nan)))


def test_a_zone_comes_back_as_its_offset() -> None:
    there = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Zurich"), fold=1)
    back = decode(encode(there))
    assert (back.isoformat(), back.utcoffset()) == (there.isoformat(), timedelta(hours=1))


def test_the_value_passed_in_stays_as_it_was() -> None:
    value: dict[str, Any] = {"a": {"b": Decimal(1)}, "c": [Decimal(2)]}
    encode(value)
    assert value == {"a": {"b": Decimal(1)}, "c": [Decimal(2)]}
    assert type(value["a"]["b"]) is Decimal


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (object(), "object"),
        ({1}, "set"),
        (Colour.RED, "Colour"),
        (Level.LOW, "Level"),
        (OrderedDict(a=1), "collections.OrderedDict"),
        (bytearray(b"x"), "bytearray"),
    ],
)
def test_what_is_no_plain_data_is_refused_by_name(value: Any, named: str) -> None:
    with pytest.raises(TypeError) as caught:
        encode([{"a": value}])
    assert f"{named}; use plain data" in str(caught.value)


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match="key of type int; use str keys"):
        encode({1: 2})


def test_text_that_utf8_cannot_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        encode({"a": "\ud800"})


@pytest.mark.parametrize("code", [1, 3, 4, 5, 6, 7, 8, 9, 99])
def test_damaged_bytes_are_refused(code: int) -> None:
    with pytest.raises(ValueError, match=r"damaged bytes|unknown extension"):
        decode(msgspec.msgpack.encode({"a": msgspec.msgpack.Ext(code, b"\xc1")}))
    with pytest.raises(ValueError, match="truncated"):
        decode(encode({"a": 1})[:-1])
