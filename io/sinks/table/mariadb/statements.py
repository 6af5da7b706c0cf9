"""The statements that write rows of one shape into a table."""

# ruff: noqa: S608 - identifiers are quoted, values are literals

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sinks.table.mariadb.description import quote, quoted
from sinks.table.target import Target


@dataclass(frozen=True, slots=True)
class Statements:
    """For rows with the same columns.

    Attributes:
        insert: The beginning of an INSERT, up to its rows.
        conflict: Its end: what becomes of a row that is there.
        names: The columns.
        key: The positions of the key among them.
        settable: The positions of the others.
        find: The beginning of a query for a row: the column that ``newest`` compares.
        compared: The position of that column; None if the rows do not have it.
        newest: Whether a row has to be newer.
        ignores: Whether a row that is there stays as it is.
        update: The beginning of an UPDATE.
    """

    insert: str
    conflict: str
    names: tuple[str, ...]
    key: tuple[int, ...]
    settable: tuple[int, ...]
    find: str
    compared: int | None
    newest: bool
    ignores: bool
    update: str

    def where(self, row: Sequence[str]) -> str:
        """The condition for the row of the key of ``row``, whose cells are literals."""
        return " AND ".join(f"{quote(self.names[p])} = {row[p]}" for p in self.key)

    def changes(self, row: Sequence[str]) -> str:
        """What ``row`` sets."""
        return ", ".join(f"{quote(self.names[p])} = {row[p]}" for p in self.settable)


def statements_of(target: Target, names: tuple[str, ...]) -> Statements:
    """The statements for rows of ``target`` with the columns ``names``."""
    mode = target.on_conflict.mode
    field = target.on_conflict.field if mode == "newest" else ""
    settable = [name for name in names if name not in target.key]
    ignores = mode == "ignore" or not settable
    places = {name: place for place, name in enumerate(names)}
    compared = quote(field) if field else "1"
    return Statements(
        insert=f"INSERT INTO {quoted(target.table)} ({', '.join(map(quote, names))}) VALUES ",
        conflict=f" ON DUPLICATE KEY UPDATE {_changes(target, settable, ignores, field)}",
        names=names,
        key=tuple(places[name] for name in target.key),
        settable=tuple(places[name] for name in settable),
        find=f"SELECT {compared} FROM {quoted(target.table)} WHERE ",
        compared=places.get(field),
        newest=mode == "newest",
        ignores=ignores,
        update=f"UPDATE {quoted(target.table)} SET ",
    )


def _changes(target: Target, settable: Sequence[str], ignores: bool, field: str) -> str:
    if ignores:
        key = quote(target.key[0])
        return f"{key} = {quoted(target.table)}.{key}"
    if not field:
        return ", ".join(f"{quote(name)} = VALUES({quote(name)})" for name in settable)
    column = f"{quoted(target.table)}.{quote(field)}"
    wins = f"{column} IS NULL"
    if field in settable:
        wins = f"({wins} OR VALUES({quote(field)}) > {column})"
    # One after another, each seeing those before it: what they compare is changed last.
    ordered = [name for name in settable if name != field] + [n for n in settable if n == field]
    return ", ".join(
        f"{quote(name)} = IF({wins}, VALUES({quote(name)}), {quoted(target.table)}.{quote(name)})"
        for name in ordered
    )
