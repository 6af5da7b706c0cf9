"""What the refused records of a commit want of their table, and which of them have to wait for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sinks.evolution.inferred import type_of
from sinks.evolution.naming import Names, shown
from sinks.evolution.refusals import Refusals
from sinks.table.config import SqlConfig
from sinks.table.rows import Poison, fields_without_column
from sinks.table.schema import NewColumn, further_column
from sinks.table.target import Column, Target
from sinks.table.writer import TableWriter

SCHEMA_CHANGE = "schema_change"
"""Category of a record that waits until its table can take it."""

MOST_AT_ONCE = 100
"""New columns of one commit."""

MOST_COLUMNS = 1_500
"""Columns of a table that evolves; PostgreSQL counts those that were dropped too, up to 1,600."""

Value = Mapping[str, Any]


@dataclass(slots=True)
class Wanted:
    """What a table is to become.

    Attributes:
        columns: The new columns.
        widen: By column whose type is too narrow, values that it is to take.
        first: By column, the record that asked first.
    """

    columns: list[NewColumn] = field(default_factory=list)
    widen: dict[str, list[Any]] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.columns or self.widen)


@dataclass(slots=True)
class Survey:
    """Looks at the records that a table has refused.

    Attributes:
        config: The table, and what may change of it.
        target: As it is known.
        writer: Knows its types.
        names: Of its columns, and the rules for further ones.
        refusals: What was refused before.
        at: When the commit began; a refusal that stood then stands.
    """

    config: SqlConfig
    target: Target
    writer: TableWriter
    names: Names
    refusals: Refusals
    at: float
    wanted: Wanted = field(init=False, default_factory=Wanted)
    values: dict[str, list[Any]] = field(init=False, default_factory=dict)

    def of(self, records: Sequence[Value], poison: Sequence[Poison]) -> list[Poison]:
        """What becomes of ``poison``, and what of it is ``wanted``.

        Args:
            records: Of the commit.
            poison: Those that were refused.

        Returns:
            ``poison``, where records wait that would be written if a person altered the table.
        """
        self.names.take(column.name for column in self.target.columns)
        self.names.take(self.target.generated)
        judged = [self._judged(bad, records[bad.index]) for bad in poison]
        self.wanted.columns = [
            further_column(self.config.schema, name) or NewColumn(name, type_of(values))
            for name, values in self.values.items()
        ]
        return judged

    def _judged(self, bad: Poison, record: Value) -> Poison:
        if bad.category == "unknown_field":
            fields = fields_without_column(self.target, record)
            return self._lacking(bad, record, fields) if fields else bad
        if bad.category == "data" and self.config.evolves:
            columns = [
                column
                for column in self.target.columns
                if record.get(column.name) is not None
                and column.name != self.target.mark
                and self.writer.misfits(column, record[column.name])
            ]
            wider = all(self._has_wider(column, record[column.name]) for column in columns)
            return self._too_narrow(bad, record, columns) if columns and wider else bad
        return bad

    def _has_wider(self, column: Column, value: object) -> bool:
        """Whether a person could change the type of ``column`` to one that takes ``value``, too."""
        free = replace(column, fixed=False, generated=False)
        return self.writer.widened(free, [value]) is not None

    def _lacking(self, bad: Poison, record: Value, fields: Sequence[str]) -> Poison:
        text = f"table {self.target.table} has no column for field {_some(fields)}"
        for name in fields:
            if name not in self.values and (reason := self.names.impossible(name)):
                return replace(
                    bad, message=f"{text}; {shown(name)} cannot be added by anybody: {reason}"
                )
        if not self.config.evolves:
            return replace(bad, category=SCHEMA_CHANGE, message=f"{text}; add it, or see --evolve")
        folds = {name.casefold() for name in fields}
        if len(folds) < len(fields):
            return _waiting(bad, f"{text}; names of its fields differ only by capitals")
        for name in fields:
            reason = self.refusals.reason(name, self.at)
            if not reason and name not in self.values:
                reason = self.names.fault(name)
            if reason:
                return _waiting(bad, f"{text}; {shown(name)} was not added: {reason}")
        new = [name for name in fields if name not in self.values]
        reason = self._beyond(len(new))
        if reason:
            for name in new:
                self.refusals.refuse(name, reason)
            return _waiting(bad, f"{text}; {shown(new[0])} was not added: {reason}")
        for name in new:
            self.names.take((name,))
            self.wanted.first.setdefault(name, bad.index)
        for name in fields:
            self.values.setdefault(name, []).append(record[name])
        return _waiting(bad, f"{text}; it is added")

    def _beyond(self, new: int) -> str:
        if len(self.values) + new > MOST_AT_ONCE:
            return f"one commit adds at most {MOST_AT_ONCE} columns"
        columns = len(self.target.columns) + len(self.target.generated)
        if columns + len(self.values) + new > MOST_COLUMNS:
            return f"the table would have more than {MOST_COLUMNS:,} columns"
        return ""

    def _too_narrow(self, bad: Poison, record: Value, columns: Sequence[Column]) -> Poison:
        target = self.target
        # By their types it is kept how far each key has come.
        ordered = {*target.key, target.on_conflict.field} if target.ordered else set[str]()
        for column in columns:
            name, value = column.name, record[column.name]
            if name in ordered:
                continue
            if self.config.evolve != "widen" or self.refusals.reason(as_type(name), self.at):
                continue
            if self.writer.widened(column, [value]) is not None:
                self.wanted.widen.setdefault(name, []).append(value)
                self.wanted.first.setdefault(name, bad.index)
        reasons = (self.refusals.reason(as_type(column.name), self.at) for column in columns)
        why = next(filter(None, reasons), "")
        names = ", ".join(f"{shown(column.name)} ({column.type})" for column in columns[:5])
        text = f"{bad.message}; column {names} does not take its value"
        return _waiting(bad, f"{text}, and was not changed: {why}" if why else text)


def _waiting(bad: Poison, message: str) -> Poison:
    return replace(bad, category=SCHEMA_CHANGE, message=message)


def as_type(column: str) -> str:
    """The name under which a refusal to change the type of ``column`` is remembered: no field has it."""
    return f"\x00{column}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(map(shown, names[:5])) + more
