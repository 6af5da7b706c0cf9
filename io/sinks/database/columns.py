"""Columns that the tables of this program are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from sinks.database.dialects import dialect_named
from sinks.text.stored_text import StoredText

metadata = sa.MetaData()
"""All tables that are named ``ingest_``."""


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: ``timestamptz`` where the database has it, otherwise UTC without an offset."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

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


NAME = StoredText().with_variant(sa.String(255), "mysql", "mariadb")
"""Text in an index, which MySQL has only up to a length; elsewhere text has no length."""

TEXT = StoredText()
"""Text of any length."""

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A number that the database gives; SQLite numbers the rows of no other type."""


def is_one_of(states: Iterable[str]) -> str:
    """The condition that ``state`` is one of ``states``."""
    return "state IN ({})".format(", ".join(f"'{state}'" for state in states))


def keys(*names: str) -> Iterator[sa.Column[str]]:
    """The columns of a primary key."""
    return (sa.Column(name, NAME, primary_key=True) for name in names)


def names(*names: str) -> Iterator[sa.Column[str]]:
    """Columns of texts that are never null."""
    return (sa.Column(name, NAME, nullable=False) for name in names)


def numbers(*names: str) -> Iterator[sa.Column[int]]:
    """Columns of whole numbers that are never null."""
    return (sa.Column(name, sa.BigInteger, nullable=False) for name in names)


def times(*names: str, nullable: bool = False) -> Iterator[sa.Column[datetime]]:
    """Columns of points in time."""
    return (sa.Column(name, UtcDateTime, nullable=nullable) for name in names)


def partial_index(name: str, *columns: str, where: str) -> sa.Index:
    """An index of the rows for which ``where`` holds, where the database has such indexes."""
    condition = sa.text(where)
    return sa.Index(name, *columns, postgresql_where=condition, sqlite_where=condition)


def late_count(name: str) -> sa.Column[int]:
    """A count that a later version added: version 3 ``expanded``, version 5 ``rewound``, version 7 ``deleted``."""
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=sa.text("0"))
