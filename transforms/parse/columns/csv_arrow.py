"""Read CSV by Arrow: in a fifth of the time that ``csv`` takes, and no cell becomes a value of Python.

Arrow reads more than ``csv`` does, so it gets only rows that both read alike: those whose quotes are all where
RFC 4180 has them, one on each line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyarrow import csv

from transforms.batch.record import Format
from transforms.parse.columns.arrow_cells import ArrowCells
from transforms.parse.csv.pairs import are_paired

_BOM = b"\xef\xbb\xbf"


def cells_of(
    raws: Sequence[bytes],
    max_bytes: int,
    format: Format,  # noqa: A002 - the concept's name
) -> dict[str, ArrowCells] | None:
    """The cells of each column; None where the rows are to be read in another way, or one is refused.

    Args:
        raws: The text of each row, one or more.
        max_bytes: A longer row is refused.
        format: Its columns have names, each another one, and no text stands for NULL.
    """
    data = b"\n".join((*raws, b""))
    if (
        format.escape
        or (format.encoding or "utf-8") != "utf-8"
        or data.count(b"\n") > len(raws)  # one of them is within quotes
        or b"\r" in data
        or data.startswith(_BOM)  # Arrow would leave it out
        or max(map(len, raws)) > max_bytes
        or not all(raws)
    ):
        return None
    quote = format.quote.encode()
    if quote and quote in data and not are_paired(data, format.delimiter.encode(), quote):
        return None
    source: Any = pa.py_buffer(data)
    try:
        table = csv.read_csv(
            source,
            csv.ReadOptions(
                use_threads=False, block_size=len(data), column_names=list(format.columns)
            ),
            csv.ParseOptions(
                delimiter=format.delimiter, quote_char=format.quote or False, escape_char=False
            ),
            csv.ConvertOptions(
                column_types=dict.fromkeys(format.columns, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    columns = [column.combine_chunks() for column in table.columns]
    return dict(zip(format.columns, (ArrowCells(each, _values) for each in columns), strict=True))


def _values(array: pa.Array[Any]) -> list[Any]:
    return array.to_pylist()
