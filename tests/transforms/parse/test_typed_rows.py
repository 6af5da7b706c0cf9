from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import Reject
from transforms.parse.typed_rows import (
    RowEncoder,
    Unreadable,
    decode,
    decode_all,
    map_of,
    types_in,
    written,
)

text = st.text(st.characters(exclude_categories=["Cs"]))
times = st.times().map(lambda at: at.replace(fold=0)) | st.just("24:00:00")
datetimes = (st.datetimes() | st.datetimes(timezones=st.just(UTC))).map(
    lambda at: at.replace(fold=0)
)
far_dates = st.sampled_from(["10000-01-01", "5874897-12-31", "0001-12-31 BC", "4713-01-01 BC"])
far_times = st.sampled_from(
    ["10000-01-01T00:00:00", "294276-12-31T23:59:59.999999+00:00", "0044-03-15T01:02:03 BC"]
)

SCALARS: dict[str | None, Any] = {
    None: text | st.integers(-(2**63), 2**64 - 1) | st.booleans(),
    "float": st.floats(),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False)
    | st.decimals(-(10**70), 10**70, places=2),
    "bytes": st.binary(),
    "date": st.dates() | far_dates,
    "time": times,
    "timestamp": datetimes | far_times,
    "duration": st.timedeltas(),
}


def typed(depth: int = 2) -> st.SearchStrategy[tuple[Any, Any]]:
    """A type, and a strategy for its values; None is a value of every type."""
    scalar = st.sampled_from(list(SCALARS)).map(lambda kind: (kind, st.none() | SCALARS[kind]))
    if not depth:
        return scalar
    inner = typed(depth - 1)
    lists = inner.map(lambda each: (["list", each[0]], st.none() | st.lists(each[1], max_size=3)))
    structs = st.dictionaries(text, inner, max_size=3).map(
        lambda fields: (
            ["struct", {name: each[0] for name, each in fields.items()}],
            st.none() | st.fixed_dictionaries({name: each[1] for name, each in fields.items()}),
        )
    )
    maps = st.tuples(scalar, inner).map(
        lambda pair: (
            ["map", pair[0][0], pair[1][0]],
            st.none() | st.lists(st.tuples(pair[0][1], pair[1][1]), max_size=3).map(map_of),
        )
    )
    return scalar | lists | structs | maps


rows = st.dictionaries(
    text, typed().flatmap(lambda each: st.tuples(st.just(each[0]), each[1])), max_size=4
)


def spelled(value: Any) -> Any:
    """The value with the types of all its parts: NaN equals itself, -0.0 is not 0.0."""
    if isinstance(value, dict):
        return [(spelled(key), spelled(each)) for key, each in value.items()]
    if isinstance(value, list):
        return [spelled(each) for each in value]
    return type(value), repr(value)


@given(rows)
def test_a_kept_row_gives_back_exactly_its_values(typed_row: dict[str, tuple[Any, Any]]) -> None:
    kinds = {name: kind for name, (kind, _) in typed_row.items()}
    row = {name: value for name, (_, value) in typed_row.items()}
    as_json = {name: written(kinds[name], value) for name, value in row.items()}
    (raw,) = RowEncoder(kinds).encode_all([as_json])
    json.loads(raw, parse_constant=pytest.fail)  # strict JSON
    assert spelled(decode(raw)) == spelled(row)


def test_a_kept_row_can_be_read_by_people() -> None:
    kinds = {"id": None, "b": "bytes", "f": "float", "t": "timestamp", "m": ["map", "date", None]}
    row = {
        "id": "é",
        "b": b"\xff",
        "f": float("-inf"),
        "t": datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
        "m": {date(2026, 1, 2): 1},
    }
    as_json = {name: written(kinds[name], value) for name, value in row.items()}
    (raw,) = RowEncoder(kinds).encode_all([as_json])
    assert raw.decode() == (
        '[{"id":"é","b":"/w==","f":"-Infinity","t":"2026-01-02T03:04:05.000006Z",'
        '"m":[["2026-01-02",1]]},'
        '{"b":"bytes","f":"float","t":"timestamp","m":["map","date",null]}]'
    )
    assert decode(raw) == row


def test_what_cannot_be_read_is_kept_and_rejected_with_its_column() -> None:
    encoder = RowEncoder({"id": None, "s": None, "d": "date"})
    lost = Unreadable("string", "not UTF-8 at byte 0", {"hex": "ff"})
    raw = encoder.encode_unreadable({"id": 1, "d": date(2026, 1, 2)}, {"s": lost})
    row, _, unreadable = json.loads(raw)
    assert row == {"id": 1, "d": "2026-01-02"}
    assert unreadable["s"]["stored"] == {"hex": "ff"}
    with pytest.raises(Reject, match=r"column 's' \(string\): not UTF-8 at byte 0") as raised:
        decode(raw)
    assert raised.value.category == "malformed"
    assert decode_all([raw]) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[",
        b"[]",
        b"[{}]",
        b"[1,{}]",
        b"[{},[]]",
        b'[{"a":1},{"a":"date"}]',
        b'[{"a":"1999-13-01"},{"a":"date"}]',
        b'[{"a":"x"},{"a":"decimal"}]',
        b'[{"a":"x"},{"a":"of a newer version"}]',
        b'[{"a":[1]},{"a":["of a newer version",null]}]',
        b'[{"a":1},{},{"a":1}]',
        b"\xff",
    ],
)
def test_damage_is_malformed(raw: bytes) -> None:
    with pytest.raises(Reject) as raised:
        decode(raw)
    assert raised.value.category == "malformed"


def test_values_of_other_offsets_and_sizes_come_back_too() -> None:
    row = {"n": 2**64 - 1, "d": Decimal("1E+3"), "t": time.max, "l": timedelta.min}
    kinds = {"n": None, "d": "decimal", "t": "time", "l": "duration"}
    (raw,) = RowEncoder(kinds).encode_all([row])
    assert spelled(decode(raw)) == spelled(row)


def test_the_types_of_a_row_are_known_without_its_values() -> None:
    assert types_in(b'[{"b": "no base64"}, {"b": "bytes"}]') == {"b": "bytes"}
    for damaged in (b'{"b": 1}', b"[{}]", b"[{}, []]", b"\xff"):
        with pytest.raises(Reject, match="cannot be read"):
            types_in(damaged)
