from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from sinks.objects.encoding.cells.time_cells import dates, timestamps
from sinks.objects.encoding.cells.unfit import FAILURES

ZONED = pa.timestamp("us", "UTC")
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "cell",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31t12:00:00.000000000z",
        "2026-01-31T14:00:00+02:00",
        "2026-01-31 12:00:00",
        NOON,
        datetime(2026, 1, 31, 12, 0),
        datetime(2026, 1, 31, 14, 0, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_the_spellings_of_a_moment_are_one_moment(cell: Any) -> None:
    assert timestamps([cell, None], ZONED).to_pylist() == [NOON, None]


def test_microseconds_are_kept() -> None:
    (moment,) = timestamps(["2026-01-31T12:00:00.123456Z"], ZONED).to_pylist()
    assert moment == NOON.replace(microsecond=123456)


@pytest.mark.parametrize(
    "cell",
    [
        "2026-01-31T12:00:00.1234567Z",
        "2026-02-30T12:00:00Z",
        "2026-01-31T23:59:60Z",
        "10000-01-01T00:00:00+00:00",
        "20260131",
        "now",
        "",
        1_700_000_000,
        True,
        date(2026, 1, 31),
    ],
)
def test_what_is_not_certainly_a_moment_is_refused(cell: Any) -> None:
    with pytest.raises(FAILURES):
        timestamps([cell], ZONED)
    with pytest.raises(FAILURES):
        timestamps([NOON, cell], ZONED)


def test_a_column_without_a_zone_takes_no_moment_with_one() -> None:
    local = datetime(2026, 1, 31, 12, 0)
    assert timestamps([local], pa.timestamp("us")).to_pylist() == [local]
    with pytest.raises(ValueError, match="zone"):
        timestamps([NOON], pa.timestamp("us"))


def test_a_date_is_a_date_as_text_or_not() -> None:
    cells = ["2026-01-31", date(2026, 1, 31), None]
    assert dates(cells, pa.date32()).to_pylist() == [date(2026, 1, 31), date(2026, 1, 31), None]
    assert dates(cells[:1], pa.date32()).to_pylist() == [date(2026, 1, 31)]


@pytest.mark.parametrize("cell", ["2026-02-30", "20260131", "2026-W05-6", NOON, 5, ""])
def test_what_is_not_certainly_a_date_is_refused(cell: Any) -> None:
    with pytest.raises(FAILURES):
        dates([cell], pa.date32())
    with pytest.raises(FAILURES):
        dates([date(2026, 1, 31), cell], pa.date32())
