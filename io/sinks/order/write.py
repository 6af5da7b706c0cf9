"""Write records of which the newest of each key wins, and some of which are deletes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from sinks.order import field, gone, positions
from sinks.order.keys import KeyForm, key_form
from sinks.order.rounds import Round, Rounds
from sinks.order.state import Claim, State
from sinks.table.config import POSITION, OnConflict
from sinks.table.isolate import poison_of
from sinks.table.records import Records, Written
from sinks.table.rows import Poison
from sinks.table.target import Target
from sinks.table.writer import TableWriter
from transforms.errors import Reject

UNKNOWN = (
    "nobody can tell whether this record is newer than what its key has: they are from two partitions "
    "and not both have a position; keep a key in one partition, or give a position that can be compared "
    "(--envelope, --on_conflict newest:FIELD)"
)
BARE = (
    "a message without a value has no field {}, which says what is newest; give --on_conflict "
    "newest:@position, or leave it out (?tombstones=ignore)"
)
CATEGORY = "order"
"""Category of a record that cannot be compared with what its key has come to."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How the records of one table are ordered.

    Attributes:
        form: How its key is read.
        kind: What the values of the compared column are; None where positions are compared.
        mark: How rows that are gone are marked; None where they are deleted.
    """

    form: KeyForm
    kind: field.Kind | None
    mark: gone.Mark | None


def rules_of(target: Target, *, typed: bool) -> Rules:
    """The rules for a table whose deletes are written, or whose records are compared by position.

    Args:
        target: The table.
        typed: Whether the database has types that refuse what does not fit.

    Raises:
        ConfigError: The table cannot be written so; the message says what to do.
    """
    form = key_form(target, typed=typed)
    by_field = target.on_conflict.field != POSITION
    kind = field.kind_of(target, typed=typed) if by_field else None
    column = target.mark
    mark = gone.mark_of(target, column, typed=typed) if column else None
    return Rules(form, kind, mark)


def write(
    connection: sa.Connection,
    writer: TableWriter,
    target: Target,
    records: Records,
    claims: Sequence[Claim],
    *,
    typed: bool,
    in_order: bool,
) -> Written:
    """Write ``records`` as if one by one and in order, where the newest of each key wins.

    Args:
        connection: In a transaction that writes.
        writer: The writer for the connection.
        target: The table.
        records: The records.
        claims: What each says of its key.
        typed: As in ``rules_of``.
        in_order: Whether rows of different keys may depend on one another.
    """
    rules = rules_of(target, typed=typed)
    commit = _Commit(connection, writer, target, records, rules)
    commit.write(claims, in_order=in_order)
    return commit.written


class _Commit:
    """The records of one table in one commit."""

    def __init__(
        self,
        connection: sa.Connection,
        writer: TableWriter,
        target: Target,
        records: Records,
        rules: Rules,
    ) -> None:
        self._connection = connection
        self._writer = writer
        self._target = target
        self._records = records
        self._rules = rules
        self._cells: dict[uuid.UUID, gone.Cells] = {}
        self._keys: list[uuid.UUID | None] = []
        self.written = Written.nothing(len(records.starts))

    def write(self, claims: Sequence[Claim], *, in_order: bool) -> None:
        """Write all of them."""
        placed = [self._placed(index, claim) for index, claim in enumerate(claims)]
        label = self._target.label
        before = positions.locked(self._connection, label, self._cells.keys())
        states = self._with_rows(before)
        rounds = Rounds(self._keys, placed, states, in_order=in_order)
        while (chosen := rounds.next()) is not None:
            self._write_round(chosen, rounds)
        for index in rounds.unknown:
            # What ended the key may still come with its position: a tombstone went before it.
            heals = placed[index].position is not None
            self._refuse(index, Reject(UNKNOWN, CATEGORY), heals=heals)
        changed = {key: state for key, state in rounds.states.items() if state != states.get(key)}
        positions.store(self._connection, label, changed)
        if not self._records.effects:
            self.written.effects.clear()

    def _placed(self, index: int, claim: Claim) -> Claim:
        """The claim of a record with the position that its field has; its key is entered."""
        value = self._records.values[index]
        name = self._target.on_conflict.field
        try:
            cells = self._rules.form.cells_of(value)
            if self._rules.kind is not None:
                if claim.bare:
                    raise Reject(BARE.format(name), CATEGORY)
                position = field.ordinal(name, self._rules.kind, value.get(name))
                claim = replace(claim, position=position)
        except Reject as error:
            self._refuse(index, error)
            self._keys.append(None)
            return claim
        key = self._rules.form.hash_of(cells)
        self._cells[key] = cells
        self._keys.append(key)
        return claim

    def _with_rows(self, states: dict[uuid.UUID, State]) -> dict[uuid.UUID, State]:
        """``states``, or what the rows of the table say, where that is newer."""
        kind = self._rules.kind
        if kind is None:
            return states
        name = self._target.on_conflict.field
        merged = dict(states)
        rows = gone.values_of(
            self._connection, self._target, self._rules.form, name, list(self._cells.values())
        )
        for cells, value in rows:
            key = self._rules.form.hash_of(cells)
            try:
                position = field.ordinal(name, kind, value)
            except Reject:
                continue  # nothing that could be compared
            state = merged.get(key)
            if state is None or state.position is None or position > state.position:
                merged[key] = State(position, None)
        return merged

    def _write_round(self, chosen: Round, rounds: Rounds) -> None:
        refused = self._delete(chosen.deletes, rounds) | self._write_rows(chosen.rows)
        accepted = [i for i in (*chosen.deletes, *chosen.rows) if i not in refused]
        rounds.accepted(accepted)

    def _delete(self, indices: Sequence[int], rounds: Rounds) -> set[int]:
        """Delete, or mark, the rows of the records at ``indices``; returns those that were refused."""
        if not indices:
            return set()
        refused: set[int] = set()
        keys = [self._key(index) for index in indices]

        def fail(position: int, error: BaseException) -> None:
            refused.add(indices[position])
            self.written.poison.append(poison_of(indices[position], error))

        evidence = gone.remove(
            self._connection,
            self._target,
            self._rules.form,
            self._rules.mark,
            [self._cells[key] for key in keys],
            fail,
            blames_contention=self._records.isolate,
        )
        evidence.check()
        for index, key in zip(indices, keys, strict=True):
            before = rounds.states.get(key)
            if index not in refused and not (before is not None and before.deleted):
                self.written.affect(self._records, {index: "delete"})
        return refused

    def _write_rows(self, indices: Sequence[int]) -> set[int]:
        """Write the records at ``indices``; returns those that were refused."""
        if not indices:
            return set()
        values: list[Any] = [self._records.values[index] for index in indices]
        mark = self._rules.mark
        if mark is not None:
            values = [{**value, mark.column: mark.present} for value in values]
        target = replace(self._target, on_conflict=OnConflict("update"))
        records = Records(values, {}, [0], self._records.isolate, effects=True, again=True)
        written = self._writer.write(self._connection, target, records)
        self.written.parts.append((target, written))
        refused = {indices[bad.index] for bad in written.poison}
        self.written.poison += [replace(bad, index=indices[bad.index]) for bad in written.poison]
        effects = {indices[place]: effect for place, effect in sorted(written.effects.items())}
        self.written.affect(self._records, effects)
        return refused

    def _key(self, index: int) -> uuid.UUID:
        key = self._keys[index]
        assert key is not None  # noqa: S101 - records without a key are in no round
        return key

    def _refuse(self, index: int, error: Reject, *, heals: bool = False) -> None:
        poison = Poison(index, error.category, error, str(error), transient=heals)
        self.written.poison.append(poison)
