"""Read CSV straight into columns: each cell is a text, and the header says whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transforms.batch.record import Format
from transforms.parse.columns.columnar import CHUNK, Chunks, Columnar, Reading, Row
from transforms.parse.csv.rows import parse_cells

FEWEST_BY_ARROW = 1_000
"""Of fewer rows at once, Arrow saves less than its import takes."""


class CsvReader:
    """Reads the rows of one header.

    Args:
        format: Its columns have names, each another one, and no text stands for NULL.
    """

    def __init__(self, format: Format) -> None:  # noqa: A002 - the concept's name
        self._format = format

    def may_try(self) -> bool:
        """Always: it costs no more than to read each row."""
        return True

    def note(self, *, fitted: bool) -> None:
        """Nothing: rows that do not fit are refused."""

    def read(
        self, raws: Sequence[bytes], max_bytes: int, max_depth: int, most_misfits: int
    ) -> Reading | None:
        """The cells of ``raws``; None if more than ``most_misfits`` do not fit.

        Args:
            raws: The text of each row.
            max_bytes: A longer row does not fit.
            max_depth: Of no use: CSV has no depth.
            most_misfits: As above.
        """
        if len(raws) >= FEWEST_BY_ARROW:
            from transforms.parse.columns.csv_arrow import read_by_arrow  # with pyarrow

            reading = read_by_arrow(raws, max_bytes, self._format)
            if reading is not None:
                return reading if len(reading.misfits) <= most_misfits else None
        columns: list[list[Sequence[Any]]] = [[] for _ in self._format.columns]
        misfits: list[int] = []
        for start in range(0, len(raws), CHUNK):
            chunk = raws[start : start + CHUNK]
            rows = parse_cells(chunk, max_bytes, self._format)
            if rows is None:
                rows = []
                for index, raw in enumerate(chunk, start):
                    row = parse_cells((raw,), max_bytes, self._format)
                    if row is None:
                        misfits.append(index)
                    else:
                        rows += row
                if len(misfits) > most_misfits:
                    return None
            for column, cells in zip(columns, zip(*rows, strict=True), strict=bool(rows)):
                column.append(cells)
        in_pieces = map(Chunks, columns)
        return Reading(dict(zip(self._format.columns, in_pieces, strict=True)), misfits)

    def records(self, raws: Sequence[bytes], reading: Reading) -> Columnar:
        """The records ``raws``, all of which fitted."""
        names, columns = tuple(reading.columns), tuple(reading.columns.values())

        def rows() -> list[Row]:
            return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

        return Columnar(
            reading.columns,
            len(raws),
            lambda i: {name: column[i] for name, column in reading.columns.items()},
            rows=rows,
        )


def csv_reader_of(format: Format) -> CsvReader | None:  # noqa: A002 - the concept's name
    """The reader for rows of ``format``; None if they are to be read one by one."""
    columns = format.columns
    if format.nulls or "" in columns or len(set(columns)) < len(columns):
        return None
    return CsvReader(format)
