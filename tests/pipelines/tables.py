"""What a database holds, asked for with SQL from outside of the pipelines."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def query(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements in one transaction; returns the rows of the last, with bytes as ``bytes``."""
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements[:-1]:
                connection.execute(sa.text(statement))
            result = connection.execute(sa.text(statements[-1]))
            return [tuple(map(_plain, row)) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def count_rows(url: str, table: str = "events") -> int:
    """The number of rows; 0 while the table does not exist, or is locked for a moment."""
    try:
        return int(query(url, f"SELECT count(*) FROM {table}")[0][0])
    except sa.exc.DBAPIError:
        return 0


def create_schema(url: str, name: str) -> str:
    """Create a schema in a Postgres database; returns the URL of a database that is in it."""
    query(url, f"CREATE SCHEMA {name}")
    return f"{url}&options=-csearch_path%3D{name.lower()}"


def _plain(cell: Any) -> Any:
    return bytes(cell) if isinstance(cell, memoryview) else cell
