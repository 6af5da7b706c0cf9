"""An edit is described by the names of the fields that it changed."""

from __future__ import annotations

import pytest

from sinks.bulk.changed_fields import LONGEST_NAME, MOST_NAMES, changed
from transforms.batch.record import JSON, Format
from transforms.parse.json_text import encode_json

CSV = Format("csv", columns=("id", "name"))
TYPED = Format("parquet")


@pytest.mark.parametrize(
    ("format_", "before", "after", "names"),
    [
        (JSON, b'{"a": 1, "b": 2}', b'{"a": 1, "b": 3}', ["b"]),
        (JSON, b'{"a": 1, "b": 2}', b'{"b": 2, "c": 1}', ["a", "c"]),
        (JSON, b'{"a": {"b": 1}}', b'{"a": {"b": 2}}', ["a"]),
        (JSON, b'{"a": 1}', b'{"a": 1.0}', ["a"]),
        (JSON, b'{"a": 1}', b'{"a": true}', ["a"]),
        (JSON, b'{"a": 1, "a": 2}', b'{"a": 2}', ["a"]),
        (JSON, b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}', ["bytes"]),
        (JSON, b'{"a": 1', b'{"a": 1}', ["bytes"]),
        (JSON, b"\xff", b'{"a": 1}', ["bytes"]),
        (JSON, b"[1]", b"[2]", ["bytes"]),
        (JSON, b"[" * 100_000, b"{}", ["bytes"]),
        (JSON, b'{"a\\u0000": 1}', b"{}", ["a\ufffd"]),
        (CSV, b"1,ann", b"1,bob", ["name"]),
        (CSV, b"1", b"1,bob", ["bytes"]),
        (CSV, b'1,"', b"1,bob", ["bytes"]),
        (Format("text"), b"a", b"b", ["bytes"]),
        (TYPED, b'[{"a":"x"},{}]', b'[{"a":"y"},{}]', ["a"]),
        (TYPED, b'{"a": 1}', b'{"a": 2}', ["a"]),
        (TYPED, b"[]", b'[{"a":"y"},{}]', ["bytes"]),
    ],
)
def test_fields_are_named(format_: Format, before: bytes, after: bytes, names: list[str]) -> None:
    assert changed(before, after, format_) == names


def test_names_are_bounded() -> None:
    after = encode_json({f"{number:03}" + "x" * 500: 1 for number in range(200)})
    names = changed(b"{}", after, JSON)
    assert len(names) == MOST_NAMES + 1
    assert max(map(len, names)) == LONGEST_NAME
    assert names[-1] == "and 150 more"
