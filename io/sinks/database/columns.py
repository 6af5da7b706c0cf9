"""Columns that the tables of this program are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeDecorator

from sinks.database.dialects import dialect_named
from sinks.text.binary_types import ByteText, ByteUuid
from sinks.text.stored_text import StoredText

metadata = sa.MetaData()
"""All tables that are named ``ingest_``."""


_MYSQL = ("mysql", "mariadb")
"""SQLAlchemy's names of MariaDB, whose types of the same name hold less than others'."""

_BYTES = {"source": 900, "partition": 1360, "actor": 4 * 255}
"""How long such names may be in an index of MariaDB, which has 3,072 bytes for all its columns.

An actor is cut at 255 characters (``sinks.jobs.audit_trail``), and is in no index.
"""


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: ``timestamptz`` where the database has it, otherwise UTC without an offset."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """With microseconds, also where these have to be asked for."""
        precise = mysql.DATETIME(fsp=6) if dialect.name in _MYSQL else self.impl
        return dialect.type_descriptor(precise)

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Convert to UTC."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return (
            value
            if dialect_named(dialect.name, dialect.driver).keeps_zones
            else value.replace(tzinfo=None)
        )

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return an aware datetime in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class InstantText(TypeDecorator[datetime]):
    """A point in time as text of ISO 8601, in UTC with its offset."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> str | None:
        """Write it."""
        return None if value is None else value.astimezone(UTC).isoformat()


LOOSE_INSTANT = InstantText().with_variant(UtcDateTime(), *_MYSQL)
"""A point in time in a column of users that is declared as one, where the database may keep any text in it."""


def name_type(column: str = "") -> sa.types.TypeEngine[str]:
    """The type of texts in an index; where it has to have a length, it depends on the column."""
    return StoredText().with_variant(ByteText(_BYTES.get(column, 400), column or "name"), *_MYSQL)


NAME = name_type()
"""Text in an index, which MariaDB has only up to a length; elsewhere text has no length."""

TEXT = StoredText().with_variant(
    mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), *_MYSQL
)
"""Text of any length."""

BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), *_MYSQL)
"""Bytes of any length."""

UUID = sa.Uuid().with_variant(ByteUuid(), *_MYSQL)
"""A UUID, or a hash of 16 bytes."""

UUID_TEXT = sa.Uuid(as_uuid=False).with_variant(ByteUuid(as_uuid=False), *_MYSQL)
"""The same, as text in Python."""

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A number that the database gives; SQLite numbers the rows of no other type."""


_MEANINGS = {
    "pipeline": "the name of the pipeline",
    "target": "the label of the target table",
    "source": "the URI as it was given, or the topic",
    "partition": "the version of an object, or the partition of a topic",
    "offset": "the place in the partition",
    "stage": "where the record failed: read, parse, map, validate, route, write, or the label of a step",
    "category": "what kind of failure it is",
    "actor": "who did it, or asked for it",
}
"""What columns mean that stand in several tables. The counts are described by ``transforms.batch.counts``."""


def about(row: str, written_by: str) -> dict[str, str]:
    """The ``info`` of a table, for the page of all tables.

    Args:
        row: What there is one row for.
        written_by: Who writes it.
    """
    return {"row": row, "written_by": written_by}


def is_one_of(states: Iterable[str]) -> str:
    """The condition that ``state`` is one of ``states``."""
    return "state IN ({})".format(", ".join(f"'{state}'" for state in states))


def keys(*names: str, **meanings: str) -> Iterator[sa.Column[str]]:
    """The columns of a primary key: those whose meaning is known here, and others with theirs."""
    return (
        sa.Column(name, name_type(name), primary_key=True, doc=meaning)
        for name, meaning in _meanings(names, meanings)
    )


def names(*names: str, **meanings: str) -> Iterator[sa.Column[str]]:
    """Columns of texts that are never null."""
    return (
        sa.Column(name, name_type(name), nullable=False, doc=meaning)
        for name, meaning in _meanings(names, meanings)
    )


def numbers(*names: str, **meanings: str) -> Iterator[sa.Column[int]]:
    """Columns of whole numbers that are never null."""
    return (
        sa.Column(name, sa.BigInteger, nullable=False, doc=meaning)
        for name, meaning in _meanings(names, meanings)
    )


def times(*, nullable: bool = False, **meanings: str) -> Iterator[sa.Column[datetime]]:
    """Columns of points in time."""
    return (
        sa.Column(name, UtcDateTime, nullable=nullable, doc=meaning)
        for name, meaning in meanings.items()
    )


def within_message() -> tuple[sa.Column[int], sa.Column[str]]:
    """Columns that tell a record from others of its offset."""
    return (
        sa.Column(
            "element",
            sa.BigInteger,
            doc="which record of its message it is, where a message holds several",
        ),
        sa.Column(
            "expansion", TEXT, doc="which of several it is, where steps made several of one record"
        ),
    )


def partial_index(name: str, *columns: str, where: str) -> sa.Index:
    """An index of the rows for which ``where`` holds, where the database has such indexes."""
    condition = sa.text(where)
    return sa.Index(name, *columns, postgresql_where=condition, sqlite_where=condition)


def late_count(name: str) -> sa.Column[int]:
    """A count that a later version added: version 3 ``expanded``, version 5 ``rewound``, version 7 ``deleted``."""
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=sa.text("0"))


def _meanings(
    names: Iterable[str], meanings: Mapping[str, str]
) -> Iterator[tuple[str, str | None]]:
    yield from ((name, _MEANINGS.get(name)) for name in names)
    yield from meanings.items()
