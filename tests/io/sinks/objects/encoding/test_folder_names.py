from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest

from sinks.objects.encoding.folder_names import MOST_BYTES, escaped, folder_name
from transforms.errors import Reject


@pytest.mark.parametrize(
    ("value", "folder"),
    [
        ("order", "type=order"),
        ("", "type=__HIVE_DEFAULT_PARTITION__"),
        (None, "type=__HIVE_DEFAULT_PARTITION__"),
        (7, "type=7"),
        (True, "type=true"),
        (Decimal("1.50"), "type=1.5"),
        (Decimal(100), "type=100"),
        (date(2026, 1, 31), "type=2026-01-31"),
        ("../../etc", "type=..%2F..%2Fetc"),
        ("a\x00b\n", "type=a%00b%0A"),
        ("a=b%c\\d", "type=a%3Db%25c%5Cd"),
        ("日本 x", "type=日本 x"),
    ],
)
def test_a_value_is_one_folder_whatever_it_is(value: Any, folder: str) -> None:
    assert folder_name("type", value) == folder
    assert "/" not in folder


@pytest.mark.parametrize(
    "value", [1.5, [1], {"a": 1}, b"x", datetime(2026, 1, 31), "\ud800", "x" * MOST_BYTES]
)
def test_what_names_no_folder_is_refused(value: Any) -> None:
    with pytest.raises(Reject, match="field type names no folder") as caught:
        folder_name("type", value)
    assert caught.value.category == "partition"


def test_what_is_escaped_reads_back() -> None:
    text = "".join(map(chr, range(128)))
    assert unquote(escaped(text)) == text
