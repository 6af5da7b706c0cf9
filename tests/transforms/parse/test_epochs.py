from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from transforms.batch.record import JSON, RecordBatch, Span
from transforms.errors import ConfigError
from transforms.parse.epochs import EpochColumn, epoch_columns, with_instants


def converted(cells: Sequence[Any], unit: str = "s", *, day: bool = False) -> list[Any]:
    """The cells of one column afterwards; of a record that fails, its message."""
    count = len(cells)
    batch = RecordBatch(
        Span("a", "v", 0, count),
        JSON,
        range(count),
        [b""] * count,
        [{"at": cell} for cell in cells],
    )
    batch = with_instants(batch, (EpochColumn("at", unit, day),), "parse")
    by_offset = dict(zip(batch.offsets, (row["at"] for row in batch.values or ()), strict=True))
    assert all(failure.category == "data" for failure in batch.failures)
    by_offset |= {failure.origin.offset: failure.message for failure in batch.failures}
    return [by_offset[offset] for offset in range(count)]


@pytest.mark.parametrize(
    ("unit", "number", "instant"),
    [
        ("s", 1_700_000_101, "2023-11-14T22:15:01Z"),
        ("ms", 1_700_000_101_123, "2023-11-14T22:15:01.123Z"),
        ("us", 1_700_000_101_123_456, "2023-11-14T22:15:01.123456Z"),
        ("ns", 1_700_000_101_123_456_789, "2023-11-14T22:15:01.123456789Z"),
        ("s", Decimal("1700000101.123456789012345678"), "2023-11-14T22:15:01.123456789012345678Z"),
        ("s", 1_700_000_101.1, "2023-11-14T22:15:01.1Z"),
        ("ms", Decimal("1.7E+12"), "2023-11-14T22:13:20Z"),
        ("s", 0, "1970-01-01T00:00:00Z"),
        ("s", Decimal("-0.25"), "1969-12-31T23:59:59.75Z"),
        ("s", -62_135_596_800, "0001-01-01T00:00:00Z"),
        ("s", 253_402_300_799, "9999-12-31T23:59:59Z"),
    ],
)
def test_an_instant_is_exact_as_a_number_and_as_its_digits(
    unit: str, number: Any, instant: str
) -> None:
    assert converted([number, str(number), f" {number} "], unit) == [instant] * 3


@pytest.mark.parametrize(
    "number",
    [
        *(1_700_000_000_000_000, 253_402_300_800, -62_135_596_801, 10**40, "1e9000"),
        *(Decimal("1E-19"), Decimal("1E-9000"), Decimal("0.1234567890123456789")),
    ],
)
def test_a_number_out_of_range_fails_its_record_with_column_and_value(number: Any) -> None:
    before, message, after = converted([1, number, 2])
    assert (before, after) == ("1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z")
    assert message.startswith(f"column at: {number} s since 1970")


@pytest.mark.parametrize(
    "cell",
    [None, "", "2024-01-31T10:15:00Z", "now", True, [1], float("nan"), float("inf"), "\uff11"],
)
def test_what_is_no_number_is_left_to_the_column(cell: Any) -> None:
    (left,) = converted([cell])
    assert left is cell


def test_of_a_date_only_the_day_is_wanted() -> None:
    assert converted([1_700_000_101], day=True) == ["2023-11-14"]


def test_a_record_without_the_column_or_that_is_no_object_stays_as_it_is() -> None:
    values = [{"n": 5}, [5]]
    batch = RecordBatch(Span("a", "v", 0, 2), JSON, [0, 1], [b"", b""], values)
    assert with_instants(batch, (EpochColumn("at", "s"),), "parse").values == values


def test_columns_are_named_with_their_units() -> None:
    schema = '{"properties": {"d": {"type": ["string", "null"], "format": "date"}, "t": {}}}'
    assert epoch_columns(["t=ms", "d=s", "a=b=ns"], schema) == (
        EpochColumn("t", "ms"),
        EpochColumn("d", "s", day=True),
        EpochColumn("a=b", "ns"),
    )


@pytest.mark.parametrize("texts", [["at"], ["at=h"], ["=s"], ["at=s", "at=ms"]])
def test_a_column_without_a_unit_or_named_twice_is_refused(texts: list[str]) -> None:
    with pytest.raises(ConfigError, match="--epoch"):
        epoch_columns(texts)
