"""Keys that Arrow has are told apart as those of records are."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from sinks.text.arrow_keys import ArrowKeys, are_distinct, numbers_of
from transforms.parse.columns.arrow_cells import ArrowCells

# By time and host: the second half of all of them is the same.
IDS = [str(uuid.UUID(int=(number << 64) + 7)) for number in range(1, 40)]


def cells(values: Sequence[Any], of_type: Any = None) -> ArrowCells:
    array = pa.array([None, *values], of_type or pa.string()).slice(1)
    return ArrowCells(array, lambda part: part.to_pylist())


def keys(values: Sequence[str]) -> ArrowKeys:
    numbers = numbers_of("uuid", cells(values))
    assert numbers is not None
    return ArrowKeys("uuid", numbers, lambda: [value.lower() for value in values])


@pytest.mark.parametrize(
    ("kind", "values", "of_type", "distinct"),
    [
        ("uuid", IDS, None, True),
        ("uuid", [*IDS, IDS[7].upper()], None, False),
        ("uuid", [str(uuid.UUID(int=number)) for number in range(99)], None, True),
        ("int8", [1, -1, 0, 2**63 - 1], pa.int64(), True),
        ("int4", [1, 2, 1], pa.int16(), False),
    ],
)
def test_equal_keys_are_seen(kind: str, values: list[Any], of_type: Any, distinct: bool) -> None:
    numbers = numbers_of(kind, cells(values, of_type))
    assert numbers is not None
    assert are_distinct(numbers) is distinct


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("uuid", cells([IDS[0], None])),
        ("uuid", cells([IDS[0].replace("-", "")])),
        ("uuid", cells([*IDS, "-" * 36])),
        ("uuid", cells([*IDS, "1234-678-1234-1234-1234-1-3456789012"])),
        ("uuid", cells([*IDS, *["1234-678-1234-1234-1234-123456789012"] * 2])),
        ("uuid", cells([])),
        ("uuid", IDS),
        ("text", cells(IDS)),
        ("int8", cells(["1"])),
        ("int8", cells([2**63], pa.uint64())),
    ],
)
def test_others_are_looked_at_one_by_one(kind: str, column: Sequence[Any]) -> None:
    assert numbers_of(kind, column) is None


def test_sets_are_disjoint_as_sets_of_texts_are() -> None:
    some, others = keys([*IDS[:20], IDS[3]]), keys([*IDS[20:], IDS[20].upper()])
    assert some.isdisjoint(others)
    assert not some.isdisjoint(keys([IDS[19].upper()]))
    texts = frozenset(IDS[:20])
    assert not some.isdisjoint(texts)
    assert not texts.isdisjoint(some)
    assert texts.isdisjoint(others)
    assert others.isdisjoint(texts)


def test_a_union_has_the_keys_of_both() -> None:
    some = keys(IDS[:2])
    assert some | frozenset(IDS[2:4]) == frozenset(IDS[:4])
    assert frozenset(IDS[2:4]) | some == frozenset(IDS[:4])
    assert some | keys(IDS[1:3]) == frozenset(IDS[:3])
    assert len(some) == 2
    assert IDS[0] in some
