"""The cells of a CSV row as they are written: which were quoted, and which stand for NULL.

Python's ``csv`` gives the same text for ``""`` and for an empty cell; only the raw row tells them
apart. It is read a second time only where that can matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from transforms.batch.record import Format, RecordBatch


def written_cells(text: str, format: Format) -> list[str]:  # noqa: A002 - the concept's name
    """The cells of one row, which ``csv`` can read, with their quotes and escapes.

    >>> written_cells('1,"",,"a,b"', Format("csv"))
    ['1', '""', '', '"a,b"']
    """
    match = _cell(format.delimiter, format.quote, format.escape).match
    cells: list[str] = []
    at = 0
    while True:
        end = match(text, at).end()  # type: ignore[union-attr]  # it matches the empty text too
        cells.append(text[at:end])
        if end >= len(text):
            return cells
        at = end + len(format.delimiter)


def with_nulls(row: Sequence[str], text: str, format: Format) -> list[str | None]:  # noqa: A002
    """``row`` with None for each cell that stands for NULL and is written without quotes.

    Args:
        row: The cells of ``text``, as ``csv`` reads them.
        text: The row as it is written.
        format: Says which texts stand for NULL.
    """
    nulls = format.nulls
    marked = (format.quote and format.quote in text) or (format.escape and format.escape in text)
    written = written_cells(text, format) if marked else row
    if len(written) != len(row):  # they cannot be matched: nothing stands for NULL
        return list(row)
    return [
        None if as_written in nulls else cell for cell, as_written in zip(row, written, strict=True)
    ]


def quoted_empty(raw: bytes, format: Format) -> frozenset[str]:  # noqa: A002
    """The columns of a row whose cell is an empty pair of quotes."""
    pair = format.quote * 2
    if not pair or pair.encode() not in raw:
        return _NONE
    try:
        cells = written_cells(raw.decode(format.encoding or "utf-8"), format)
    except UnicodeDecodeError:
        return _NONE
    return frozenset(
        name for name, cell in zip(format.columns, cells, strict=False) if cell == pair
    )


def quoted_fields(batch: RecordBatch, index: int) -> frozenset[str]:
    """The fields of a record that are such cells, under the names that a mapping gave them."""
    columns = quoted_empty(batch.raws[index], batch.format)
    if batch.cells is None or not columns:
        return columns
    return frozenset(name for name, column in batch.cells.items() if column in columns)


def any_quoted_empty(raws: Sequence[bytes], format: Format) -> bool:  # noqa: A002
    """Whether any row may have such a cell; cheaper than looking at each row."""
    pair = format.quote.encode() * 2
    return bool(pair) and any(pair in raw for raw in raws)


_NONE: frozenset[str] = frozenset()


@lru_cache(maxsize=64)
def _cell(delimiter: str, quote: str, escape: str) -> re.Pattern[str]:
    """The pattern of one cell, up to the delimiter after it."""
    mark, open_, back = re.escape(delimiter), re.escape(quote), re.escape(escape)
    escaped = f"|{back}.?" if escape else ""
    plain = f"(?:[^{mark}{back}]++{escaped})*+"
    if not quote:
        return re.compile(plain, re.DOTALL)
    within = f"(?:[^{open_}{back}]++|{open_}{open_}{escaped})*+"
    return re.compile(f"(?:{open_}{within}{open_})?+{plain}", re.DOTALL)
