from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.io.sources.files.parquet.writing import values, written
from tests.io.sources.reading import failures, read_all
from transforms.parse.parse import ParseConfig, parse

LOST: list[tuple[str, Any, Any, Any]] = [
    ("not UTF-8 at byte 1", pa.array([b"a\xff", b"ok"]), pa.string(), {"hex": "61ff"}),
    ("not within a day", pa.array([-1, 0], pa.int64()), pa.time64("us"), -1),
    ("not within a day", pa.array([90_000_000, 0], pa.int32()), pa.time32("ms"), 90_000_000),
    ("a duration of", pa.array([2**62, 0], pa.int64()), pa.duration("s"), 2**62),
]


@pytest.mark.parametrize("nested", [False, True], ids=["column", "nested"])
@pytest.mark.parametrize(("problem", "stored", "kind", "evidence"), LOST)
def test_a_value_that_cannot_be_read_fails_its_row_and_is_kept_as_stored(
    tmp_path: Path, problem: str, stored: Any, kind: Any, evidence: Any, nested: bool
) -> None:
    column: Any = stored.view(kind)
    if nested:
        column = pa.StructArray.from_arrays([column], ["in"])
    table = pa.table({"x": column, "n": [1, 2]})
    batches = read_all(written(tmp_path / "a.parquet", table))
    assert [value["n"] for value in values(batches)] == [2]
    assert [offset for batch in batches for offset in batch.offsets] == [1]
    (failure,) = failures(batches)
    assert (failure.origin.offset, failure.stage, failure.category) == (0, "read", "malformed")
    assert "column 'x'" in failure.message
    assert problem in failure.message
    row, _, unreadable = json.loads(failure.raw)
    assert row == {"n": 1}
    assert unreadable["x"]["stored"] == ([["in", evidence]] if nested else evidence)
    again = parse(
        replace(batches[0], offsets=[0], raws=[failure.raw], values=None, failures=()),
        ParseConfig(),
    )
    assert not again.values
    (replayed,) = again.failures
    assert (replayed.category, replayed.message) == ("malformed", failure.message)


@pytest.mark.parametrize("day", [2**31 - 1, -(2**31), 5_373_485, 1_721_425])
def test_int96_beyond_the_years_that_writers_have_is_not_guessed(tmp_path: Path, day: int) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"t.at": [datetime(2026, 1, 2), datetime(2026, 1, 3)], "n": [1, 2]})
    source = written(
        path,
        table,
        use_deprecated_int96_timestamps=True,
        use_dictionary=False,
        compression="none",
        write_statistics=False,
    )
    julian = (date(2026, 1, 2) - date(1970, 1, 1)).days + 2_440_588
    stored = bytes(8) + julian.to_bytes(4, "little", signed=True)
    data = path.read_bytes()
    assert data.count(stored) == 1
    path.write_bytes(data.replace(stored, bytes(8) + day.to_bytes(4, "little", signed=True)))
    batches = read_all(source)
    assert [row["n"] for row in values(batches)] == [2]
    (failure,) = failures(batches)
    assert failure.category == "malformed"
    assert "column 't.at'" in failure.message
    assert "beyond the years 1 to 9999" in failure.message
