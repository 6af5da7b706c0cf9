"""Rows become the text that COPY reads, column by column."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from sinks.database.backends.copying import PIECE, cells_of, lines_of

DIALECT: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
things = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger),
    sa.Column("of", sa.Uuid()),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("extra", sa.JSON),
)


def test_constants_end_every_line() -> None:
    columns: dict[str, list[Any]] = {"id": [1, 2], "raw": [b"\x00", None]}
    (data,) = lines_of(DIALECT, things, columns, {"of": None, "extra": {"a": "\t\\"}})
    end = rb"\N" + b"\t" + rb'{"a":"\\t\\\\"}' + b"\n"
    assert data == b"1\t\\\\x00\t" + end + b"2\t\\N\t" + end


@pytest.mark.parametrize("several", [True, False])
def test_a_uuid_is_itself_its_digits_or_null(several: bool) -> None:
    one, other = uuid.UUID(int=1), uuid.UUID(int=2)
    values = [one, other, one] if several else [one]
    assert cells_of(DIALECT, things.c.of, values) == list(map(str, values))
    assert cells_of(DIALECT, things.c.of, [one.hex, other.hex]) == [one.hex, other.hex]
    assert cells_of(DIALECT, things.c.of, [one, None]) == [str(one), "\\N"]


def test_many_rows_come_in_pieces() -> None:
    numbers = list(range(2 * PIECE + 1))
    pieces = list(lines_of(DIALECT, things, {"id": numbers}, {}))
    assert [piece.count(b"\n") for piece in pieces] == [PIECE, PIECE, 1]
    assert b"".join(pieces) == b"".join(b"%d\n" % number for number in numbers)
    assert list(lines_of(DIALECT, things, {"id": []}, {})) == []
