"""Cells of CSV files are those that Python's ``csv`` sees.

Briefly here; ``make fuzz SUBJECTS=csv FUZZ_EXAMPLES=20000`` tries many more files. A failure
names the seed of its file: ``random_file(Random(seed))``.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sources.files.csv.options import CsvOptions
from sources.files.source import FilesSource
from sources.storage import stream
from tests.fuzz.csv_files import MARKED, CsvFile, Row, random_file, rows_of
from tests.io.sources.reading import MemoryLedger, failures, read_all, read_split
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.parse.columns import csv_columns
from transforms.parse.columns.columnar import ColumnForms
from transforms.parse.parse import ParseConfig, parse

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))


def source_of(file: CsvFile, path: Path, random: Random, *, header: bool) -> FilesSource:
    dialect = file.dialect
    detected = file.clean and header and dialect.delimiter in ",;\t|"
    return FilesSource(
        str(path),
        csv=CsvOptions(
            delimiter=None if detected and random.random() < 0.5 else dialect.delimiter,
            quote=dialect.quote,
            escape=dialect.escape,
            header=header,
        ),
        encoding=MARKED.get(dialect.encoding, dialect.encoding),
        limits=BatchLimits(records=random.randint(1, 5)),
    )


def killed_and_read_on(files: FilesSource, random: Random) -> list[RecordBatch]:
    """What two runs bring, of which the first is killed after any of its commits."""
    splits = list(files.splits(MemoryLedger()))
    first = read_split(files, splits[0]) if splits else []
    committed = first[: random.randint(0, len(first))]
    ledger = MemoryLedger()
    ledger.settle(committed)
    batches = [*committed, *read_all(files, ledger)]
    assert list(files.splits(ledger)) == []
    return batches


def outcomes(
    batches: list[RecordBatch], columns: ColumnForms | None = None
) -> list[dict[str, Any] | str]:
    """The values of all records in their order; of one that failed, why."""
    by_offset: dict[int, dict[str, Any] | str] = {}
    for batch in batches:
        read = parse(batch, ParseConfig(columns=columns))
        by_offset |= dict(zip(read.offsets, read.values or (), strict=True))
        by_offset |= {each.origin.offset: each.category for each in failures([read])}
    return [by_offset[offset] for offset in sorted(by_offset)]


def columns_of(rows: list[Row], *, header: bool) -> tuple[list[str], list[bool]]:
    """The field of each column, and whether it has a name."""
    first = rows[0].cells
    if not header:
        return [f"column_{place}" for place in range(1, len(first) + 1)], [True] * len(first)
    stripped = [cell.strip() for cell in first]
    names: list[str] = []
    for place, name in enumerate(stripped, 1):
        number, field = 1, name or f"column_{place}"
        while field in names:
            number += 1
            field = f"{name}_{number}"
        names.append(field)
    named = [bool(name) for name in stripped]
    sample = [row.cells for row in rows[1:20] if not row.malformed]
    further = [cells[len(first) :] for cells in sample]
    if further and all(cells and not any(cells) for cells in further):
        for _ in range(max(map(len, further))):
            names.append(f"column_{len(names) + 1}")
            named.append(False)
    return names, named


def is_as_csv_reads(
    outcome: dict[str, Any] | str, row: Row, names: list[str], named: list[bool]
) -> bool:
    least = max((place for place, name in enumerate(named, 1) if name), default=len(named))
    if least <= len(row.cells) <= len(names):
        cells = zip(names, named, row.cells, strict=False)
        value = {name: cell for name, has_name, cell in cells if has_name or cell}
        return outcome == value or (row.malformed and outcome == "malformed")
    return outcome == "column_count" or (row.malformed and outcome == "malformed")


@pytest.mark.parametrize("part", range(10))
def test_cells_are_those_of_pythons_csv(
    part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.csv"
    compared = 0
    for seed in range(part, EXAMPLES, 10):
        random = Random(seed)
        file = random_file(random)
        header = random.random() < 0.8
        rows = rows_of(file)
        if not rows or rows[0].malformed or not any(cell.strip() for cell in rows[0].cells):
            continue
        path.write_bytes(file.data)
        monkeypatch.setattr(csv_columns, "FEWEST_BY_ARROW", random.choice([1, 1_000]))
        monkeypatch.setattr(stream, "BLOCK_BYTES", random.choice([1, 2, 3, 7, 16, 1 << 20]))
        files = source_of(file, path, random, header=header)
        names, named = columns_of(rows, header=header)
        batches = killed_and_read_on(files, random)
        read = outcomes(batches)
        assert outcomes(batches, ColumnForms()) == read, (seed, file)
        expected = rows[1:] if header else rows
        assert len(read) == len(expected), (seed, file, read)
        for outcome, row in zip(read, expected, strict=True):
            assert is_as_csv_reads(outcome, row, names, named), (seed, file, outcome, row)
        compared += 1
    assert compared > 0.8 * EXAMPLES / 10
