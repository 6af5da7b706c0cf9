"""Rows sent to PostgreSQL by COPY, encoded column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from sinks.database.dialect import Row
from sinks.text import encoding as text_encoding
from sinks.text.copy_text import as_text, copy_data, encoder_of, escape
from sinks.text.quoting import quote
from transforms.parse.json_text import encode_json

PIECE = 500
"""How many lines are sent at once: all of them would be copied from memory to memory several times."""


def copy(cursor: Any, table: str, columns: Iterable[str], lines: Iterable[bytes]) -> None:
    """Send the lines of some rows, piece by piece, into ``columns`` of ``table``."""
    names = ", ".join(map(quote, columns))
    pieces = _Pieces(list(lines))  # what cannot be encoded is raised before the statement
    cursor.copy_expert(f"COPY {quote(table)} ({names}) FROM STDIN", pieces)


class _Pieces:
    """What the driver reads from; it takes what it is given, however long that is."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    def read(self, _size: int) -> bytes:
        return next(self._pieces, b"")


def lines_of(
    dialect: sa.Dialect,
    table: sa.Table,
    columns: Mapping[str, Sequence[Any]],
    constants: Row,
) -> Iterator[bytes]:
    """Rows as COPY reads them, in pieces; the constants end every line, as if they were one cell."""
    cells = [cells_of(dialect, table.c[name], values) for name, values in columns.items()]
    ends = [cells_of(dialect, table.c[name], [value])[0] for name, value in constants.items()]
    if ends:
        cells.append(["\t".join(ends)] * len(cells[0]))
    rows = map("\t".join, zip(*cells, strict=True))
    while piece := list(islice(rows, PIECE)):
        yield copy_data(piece)


def cells_of(dialect: sa.Dialect, column: sa.Column[Any], values: Sequence[Any]) -> Sequence[str]:
    """The values of one column as COPY reads them."""
    if len(values) > 1 and values[0] is values[-1] and len(set(map(id, values))) == 1:
        # Most columns of failed records.
        return list(cells_of(dialect, column, values[:1])) * len(values)
    if isinstance(column.type, sa.LargeBinary):
        if set(map(type, values)) == {bytes}:
            return ["\\\\x" + value.hex() for value in values]
        return encoder_of("bytea")(values)
    if isinstance(column.type, sa.Uuid):
        distinct = {id(value): value for value in values}  # few, of the groups of failed records
        if all(type(value) is UUID for value in distinct.values()):
            written = {key: as_text(value) for key, value in distinct.items()}
            return [written[id(value)] for value in values]
    holds_all = text_encoding.holds_all(dialect)
    if isinstance(column.type, sa.JSON):
        if holds_all:
            return encoder_of("json")(values)
        texts = [encode_json(value).decode() for value in values]
        return escape(list(map(text_encoding.ascii_json, texts)))
    if not holds_all:
        values = [
            text_encoding.escaped(dialect, value) if isinstance(value, str) else value
            for value in values
        ]
    return encoder_of("text")(values)
