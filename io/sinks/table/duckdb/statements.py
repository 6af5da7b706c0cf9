"""The statements that write rows of an Arrow table into a target table."""

# ruff: noqa: S608 - identifiers are quoted, types are those of the database's own catalogue

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sinks.table.duckdb.values import encoding_of
from sinks.table.target import Target
from sinks.text.quoting import quote, quoted

ROWS = "sluice_rows"
"""The name by which statements read the Arrow table."""

NUMBER = "sluice_number"
"""Its column that numbers the rows, which no table of users has."""


@dataclass(frozen=True, slots=True)
class Statements:
    """How rows with certain columns are written.

    Attributes:
        names: The columns.
        insert: Inserts the rows whose key is absent.
        upsert: Inserts rows, or changes those of their key; empty if a row never changes another.
        returning: Added to either: returns the keys of the rows that took effect, as texts.
        keys: Selects numbers and keys of all rows, the keys as ``returning`` does.
        values: Selects the rows with the types that the table has.
    """

    names: frozenset[str]
    insert: str
    upsert: str
    returning: str
    keys: str
    values: str


def statements_of(target: Target, names: Sequence[str]) -> Statements:
    """The statements for rows with the columns ``names``."""
    types = {column.name: column.type for column in target.columns}
    cells = [_cell(name, types[name]) for name in names]
    key = ", ".join(map(quote, target.key))
    # Arrow's order is kept, so that the earlier of two that exclude each other is accepted.
    insert = (
        f"INSERT INTO {quoted(target.table)} AS sluice_target ({', '.join(map(quote, names))}) "
        f"SELECT {', '.join(cells)} FROM {ROWS} ON CONFLICT ({key}) DO "
    )
    changes = _changes(target, names)
    texts = [f"CAST({_cell(name, types[name])} AS VARCHAR)" for name in target.key]
    typed = [f"{cell} AS {quote(name)}" for name, cell in zip(names, cells, strict=True)]
    return Statements(
        names=frozenset(names),
        insert=f"{insert}NOTHING",
        upsert=f"{insert}UPDATE SET {changes}" if changes else "",
        returning=" RETURNING "
        + ", ".join(f"CAST({quote(name)} AS VARCHAR)" for name in target.key),
        keys=f"SELECT {', '.join(texts)} FROM {ROWS} ORDER BY {NUMBER}",
        values=f"SELECT {NUMBER}, {', '.join(typed)} FROM {ROWS}",
    )


def _cell(name: str, declared: str) -> str:
    """A cell of the Arrow table, with the column's type."""
    return f"CAST({quote(name)} AS {declared})" if encoding_of(declared).cast else quote(name)


def _changes(target: Target, names: Sequence[str]) -> str:
    """What changes in a row that is there, and under which condition; empty for nothing."""
    conflict = target.on_conflict
    settable = [name for name in names if name not in target.key]
    if conflict.mode == "ignore" or not settable:
        return ""
    changes = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in settable)
    if conflict.mode != "newest":
        return changes
    current = f"sluice_target.{quote(conflict.field)}"
    wins = f"{current} IS NULL"
    if conflict.field in names:
        wins += f" OR excluded.{quote(conflict.field)} > {current}"
    return f"{changes} WHERE {wins}"
