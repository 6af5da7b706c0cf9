"""docs/objects.md shows how the manifest is read: the programs read what was written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.io.sinks.objects.lake import Lake
from tests.io.sinks.tested_database import make_batch

PAGE = Path(__file__).parents[4] / "docs" / "objects.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=["pyarrow", "duckdb"])
def test_a_program_of_the_page_reads_every_record_once(
    program: str, local_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = local_lake.sink("?partition=type")
    for start in range(0, 6, 2):
        sink.commit([make_batch([{"id": n, "type": "a"} for n in (start, start + 1)], start)])
    sink.finish()
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(program, names)
    assert sorted(row["id"] for row in names["rows"]) == [0, 1, 2, 3, 4, 5]
