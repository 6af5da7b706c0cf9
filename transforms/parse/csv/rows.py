"""Read CSV rows into dicts of strings (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence

from transforms.batch.record import Format
from transforms.errors import Reject
from transforms.parse.csv.cells import with_nulls
from transforms.parse.csv.columns import fewest, row_of
from transforms.parse.raw import check_size, text_of

Row = dict[str, str | None]
"""A row by column; None where the text stands for NULL in this format."""


def parse_row(raw: bytes, max_bytes: int, format: Format, *, quotes: bool = True) -> Row:  # noqa: A002
    """The row in ``raw``, by column.

    Args:
        raw: The text of one row, without the newline at its end.
        max_bytes: The longest ``raw`` that is read.
        format: The columns, delimiter, quote and so on.
        quotes: Whether a message may quote it.

    Raises:
        Reject: ``too_large``, ``invalid_utf8``, ``invalid_text``, ``malformed``,
            ``column_count`` or ``duplicate_column``.
    """
    check_size(raw, max_bytes)
    columns = format.columns
    named = tuple(filter(None, columns))
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        column = f"column {twice!r}" if quotes else "a column"
        raise Reject(f"the header names {column} twice", "duplicate_column")
    text = text_of(raw, format.encoding, quotes=quotes)
    try:
        rows = list(rows_of([text], max_bytes, format))
    except csv.Error as error:
        reason = _why(text, format, quotes) or str(error)
        raise Reject(f"CSV is malformed: {reason}", "malformed") from error
    row = rows[0] if rows else []
    if not fewest(columns) <= len(row) <= len(columns):
        raise Reject(f"expected {_count(columns)} columns, got {len(row)}", "column_count")
    cells = with_nulls(row, text, format) if format.nulls else row
    return row_of(columns, cells)


def parse_rows(
    raws: Sequence[bytes],
    max_bytes: int,
    format: Format,  # noqa: A002
) -> list[Row] | None:
    """The rows in ``raws``, or None when ``parse_row`` would reject any of them."""
    columns = format.columns
    if "" not in columns and not format.nulls:
        cells = parse_cells(raws, max_bytes, format)
        return None if cells is None else [dict(zip(columns, row, strict=True)) for row in cells]
    unnamed = "" in columns
    if len(set(columns)) < len(columns) and not unnamed:
        return None
    read = _read(raws, max_bytes, format)
    if read is None:
        return None
    texts, rows = read
    widths = set(map(len, rows))
    if unnamed:
        if min(widths) < fewest(columns) or max(widths) > len(columns):
            return None
        return [
            row_of(columns, with_nulls(row, text, format) if format.nulls else row)
            for row, text in zip(rows, texts, strict=True)
        ]
    if widths != {len(columns)}:
        return None
    return [
        dict(zip(columns, with_nulls(row, text, format), strict=True))
        for row, text in zip(rows, texts, strict=True)
    ]


def parse_cells(
    raws: Sequence[bytes],
    max_bytes: int,
    format: Format,  # noqa: A002
) -> list[list[str]] | None:
    """The cells of the rows in ``raws``, or None when ``parse_row`` would reject any of them.

    Every column has a name, and no text stands for NULL.
    """
    columns = format.columns
    if len(set(columns)) < len(columns):
        return None
    read = _read(raws, max_bytes, format)
    if read is None or set(map(len, read[1])) != {len(columns)}:
        return None
    return read[1]


def _read(
    raws: Sequence[bytes],
    max_bytes: int,
    format: Format,  # noqa: A002
) -> tuple[list[str], list[list[str]]] | None:
    """The texts of ``raws``, and their cells; None if one is not one row."""
    if max(map(len, raws)) > max_bytes:
        return None
    encoding = format.encoding or "utf-8"
    try:
        texts = [raw.decode(encoding) for raw in raws]
        rows = list(rows_of(texts, max_bytes, format))
    except (csv.Error, UnicodeDecodeError):
        return None
    # An open quote swallows the next record, which leaves fewer rows than records.
    return (texts, rows) if len(rows) == len(raws) else None


def _why(text: str, format: Format, quotes: bool) -> str:  # noqa: A002
    """Where and why ``text`` is not one row; empty if the csv module has to say it."""
    quoted, begin, at = False, True, 0  # begin: at the beginning of a field
    opened = 0
    while at < len(text):
        here, after = text[at], text[at + 1 : at + 2]
        if here == format.escape:
            begin, at = False, at + 2
            continue
        if quoted and here == format.quote:
            if after == format.quote:
                at += 2
                continue
            quoted = False
            if after not in ("", format.delimiter, "\r", "\n"):
                what = repr(after) if quotes else "something"
                return (
                    f"the quote at byte {_byte(text, at, format)} ends a field, and {what} "
                    f"follows instead of {format.delimiter!r}"
                )
        elif begin and here == format.quote:
            quoted, opened = True, at
        elif not quoted and after and (here == "\n" or (here == "\r" and after != "\n")):
            return f"the line end at byte {_byte(text, at, format)} is not within quotes"
        begin = not quoted and here == format.delimiter
        at += 1
    return f"the quote at byte {_byte(text, opened, format)} is never closed" if quoted else ""


def _byte(text: str, characters: int, format: Format) -> int:  # noqa: A002
    return len(text[:characters].encode(format.encoding or "utf-8"))


def _count(columns: tuple[str, ...]) -> str:
    least = fewest(columns)
    return f"{len(columns)}" if least == len(columns) else f"{least} to {len(columns)}"


def rows_of(texts: Iterable[str], max_bytes: int, format: Format) -> Iterator[list[str]]:  # noqa: A002
    """The cells of each text, which is one row; raises ``csv.Error`` if it is malformed."""
    if format.escape:  # a newline at the end may be escaped
        texts = (text + "\n" for text in texts)
    # The limit of the csv module (131,072 by default) holds for the process; it is only raised.
    if csv.field_size_limit() < max_bytes:
        csv.field_size_limit(max_bytes)
    return csv.reader(
        texts,
        delimiter=format.delimiter,
        quotechar=format.quote or None,
        quoting=csv.QUOTE_MINIMAL if format.quote else csv.QUOTE_NONE,
        escapechar=format.escape or None,
        strict=True,
    )
