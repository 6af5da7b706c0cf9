"""Writing to PostgreSQL by COPY: straight into the table, or by way of a staging table.

Straight costs the server two thirds of staging, but fails on a key that is there already.
So it is tried first, inside a savepoint, and after a collision left alone for a while:
every try that fails leaves dead rows behind.
"""

from __future__ import annotations

import io
import threading
from bisect import bisect_left
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any

import psycopg2
import sqlalchemy as sa

from sinks.database.classify import classify, sqlstate_of
from sinks.database.tables import Operation
from sinks.table.dialect import Records, Written
from sinks.table.isolate import isolate
from sinks.table.postgres import staging
from sinks.table.postgres.keys import dependencies_of, keys_of, spelt_alike
from sinks.table.postgres.lines import Lines, encode
from sinks.table.rows import Block, Poison, Rows, blocks_of, picked, rows_of, runs_of, signatures_of
from sinks.table.target import Target
from sinks.table.turns import cuts_of, pieces, rounds_of
from sinks.text.copy_text import encode_json
from sinks.text.quoting import quote, quoted

UNIQUE_VIOLATION = "23505"
# Errors of the straight way that say nothing about rows: COPY into a view or past row security.
_NO_COPY = frozenset({"0A000", "42809"})
LONGEST_SKIP = 64
_MANY_ROUNDS = 4  # up to which no rows are folded
_SHORT = 2_000  # characters of a row that no index refuses (PostgreSQL: 2,704 bytes, or a third of a page)
_FEW_STATEMENTS = 8  # that may each read the whole staging table
_BLAMED: frozenset[str] = frozenset({"record"})
_ISOLATING = "SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '15s'"
"""Set while records are set aside that wait for others' locks: each of them is waited for again."""


@dataclass(slots=True)
class _Straight:
    """How the straight way has fared with one table, in this process.

    Attributes:
        skip: For how many more commits it is not tried.
        penalty: How many commits the next collision costs.
    """

    skip: int = 0
    penalty: int = 1


_lock = threading.Lock()
_straight: dict[Target, _Straight] = {}


def committed(target: Target, written: Written) -> None:
    """Take note of how a commit's rows were written; doubles or ends the skipping."""
    with _lock:
        state = _straight.setdefault(target, _Straight())
        if written.collided is None:
            state.skip = max(0, state.skip - 1)
        elif written.collided:
            state.skip = state.penalty
            state.penalty = min(LONGEST_SKIP, state.penalty * 2)
        else:
            state.penalty = 1


def skipped(target: Target) -> bool:
    """Whether the straight way is not tried by the next commit."""
    with _lock:
        state = _straight.get(target)
        return state is not None and state.skip > 0


def write(connection: sa.Connection, target: Target, records: Records) -> Written:
    """Write ``records`` inside the connection's transaction, as if one by one and in order.

    Raises:
        psycopg2.Error: No record is to blame.
    """
    written = Written.nothing(len(records.starts))
    rows, written.poison = rows_of(target, records.values, records.origin)
    if not rows.indices:
        return written
    writer = _Writer(connection.connection.dbapi_connection, target, records, written)
    if records.isolate:
        writer.isolate()
    keys = keys_of(target, rows)
    repeated = len(set(keys)) < len(keys)
    simple = target.on_conflict.mode == "ignore" and not repeated
    if target.interplay.entangled or (
        # With ignore, the database finds equal keys by itself as long as the order is kept.
        not (simple and signatures_of(target, rows) is None) and not spelt_alike(target, keys)
    ):
        writer.in_order(rows, keys, repeated=repeated)
    elif repeated:
        writer.in_rounds(rows, keys)
    else:
        writer.in_one_go(rows)
    writer.finish()
    return written


_Staged = tuple[Lines, int, set[int], list[Poison]]
"""A block, the number of its first row, the positions that COPY refused, and where to tell them."""


def _positions(keys: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    places: dict[Hashable, list[int]] = {}
    for position, key in enumerate(keys):
        places.setdefault(key, []).append(position)
    return places


def _is_short(row: Mapping[str, Any]) -> bool:
    """Whether no cell is so long that an index may refuse it."""
    for cell in row.values():
        sized = encode_json(cell) if isinstance(cell, (dict, list)) else cell
        if isinstance(sized, (str, bytes)) and len(sized) > _SHORT:
            return False
    return True


class _Writer:
    """One write on one connection."""

    def __init__(self, driver: Any, target: Target, records: Records, written: Written) -> None:
        self._cursor = driver.cursor()
        self._target = target
        self._records = records
        self._written = written
        self._blamed = _BLAMED | ({"transient"} if records.isolate else set())
        self._ignoring = target.on_conflict.mode == "ignore"
        self._may_copy = (
            # A name that looks like the context of COPY's errors would put the blame elsewhere.
            ", line " not in target.table.name
            # COPY counts what triggers leave of the rows by the table, not by the batch.
            and not target.interplay.rewriting
            and not skipped(target)
        )
        self._staged = 0
        self._indexed: staging.Staging | None = None

    def isolate(self) -> None:
        """Wait for locks only briefly, until the transaction ends."""
        self._cursor.execute(_ISOLATING)

    def in_one_go(self, rows: Rows) -> None:
        """Write rows that do not depend on each other."""
        blocks = self._encoded(blocks_of(self._target, rows), self._written.poison)
        if blocks and not (self._may_copy and self._straight(blocks)):
            self._stage_and_insert(blocks, ())

    def in_rounds(self, rows: Rows, keys: Sequence[Hashable]) -> None:
        """Write rows that depend on each other by their keys alone: each key's rows in order."""
        rounds = rounds_of(keys)
        if not self._ignoring and len(rounds) > _MANY_ROUNDS:
            rest = self._fold(rows, keys)
            rows, keys = picked(rows, rest), [keys[p] for p in rest]
            rounds = [[], *rounds_of(keys)]
        poison = self._written.poison
        before = len(poison)
        if rounds[0]:
            self.in_one_go(picked(rows, rounds[0]))
        if not self._ignoring:
            later = [self._grouped(rows, positions) for positions in rounds[1:]]
            ends = list(accumulate(map(len, later)))
            self._in_turn(picked(rows, list(chain.from_iterable(later))), ends)
            return
        # With ignore, a row matters only as long as all rows of its key before it were refused.
        key_of = dict(zip(rows.indices, keys, strict=True))
        for positions in rounds[1:]:
            refused = {key_of[each.index] for each in poison[before:] if each.index in key_of}
            before = len(poison)
            self._in_turn(picked(rows, [p for p in positions if keys[p] in refused]), ())

    def _fold(self, rows: Rows, keys: Sequence[Hashable]) -> Sequence[int]:
        """Write rows, of each key only the one that wins, where that is known to be the same.

        It is, if the database would have accepted every one of them. The types are checked as
        they are staged, conditions by a query, and rows that refer to others must refer to the
        same ones.

        Returns:
            The positions of the rows that are still to be written, one by one.
        """
        places = _positions(keys)
        apart = {p for group in places.values() if not self._folds(rows, group) for p in group}
        together = [p for p in range(len(keys)) if p not in apart]
        blocks = self._encoded(
            blocks_of(self._target, picked(rows, together)), self._written.poison
        )
        if not blocks:
            return sorted(apart)
        table, staged = self._stage(blocks)
        numbers = {
            index: number
            for lines, start, bad, _ in staged
            for number, index in enumerate(lines.indices, start)
            if number - start not in bad
        }
        position = {index: p for p, index in enumerate(rows.indices)}
        refused = self._refused(table, staged)
        refusing = {keys[position[index]] for index, n in numbers.items() if n in refused}
        again = {p for key in refusing for p in places[key] if rows.indices[p] in numbers}
        if again:
            withdrawn = [numbers[rows.indices[p]] for p in again]
            self._cursor.execute(staging.delete_statement(table, withdrawn))
        first = staged[0][1]
        self._cursor.execute(staging.supersede_statement(self._target, table, first))
        superseded = {int(row[0]) for row in self._cursor.fetchall()}
        before = len(self._written.poison)
        self._insert_staged(table, staged, set())
        beaten = {keys[position[each.index]] for each in self._written.poison[before:]}
        for index, number in numbers.items():
            if number not in superseded:
                continue
            if keys[position[index]] in beaten:
                again.add(position[index])  # the one that would have won was refused
            elif self._target.on_conflict.mode == "update":
                self._written.updated[self._records.batch_of(index)] += 1
        return sorted(apart | again)

    def _folds(self, rows: Rows, group: Sequence[int]) -> bool:
        """Whether the rows at the positions ``group``, all of one key, may be folded."""
        interplay = self._target.interplay
        if len(group) == 1:
            return True
        if interplay.checks is None:
            return False
        names = set(rows.values[group[0]])
        compared = {self._target.on_conflict.field} - {""}
        return (
            all(rows.values[p].keys() == names for p in group)
            and names >= interplay.checked | compared
            and all(
                rows.values[p].get(name) == rows.values[group[0]].get(name)
                for name in interplay.references
                for p in group
            )
            and all(map(_is_short, (rows.values[p] for p in group)))
        )

    def _refused(self, table: staging.Staging, staged: Sequence[_Staged]) -> set[int]:
        """Numbers of the staged rows that the table would refuse; all, if it cannot be told."""
        refused: set[int] = set()
        for lines, start, _, _ in staged:
            end = start + len(lines.indices)
            statement = staging.refusals_statement(self._target, table, lines.names, (start, end))
            if statement is None:
                continue
            try:
                with self._savepoint("refusals"):
                    self._cursor.execute(statement)
                    refused.update(int(row[0]) for row in self._cursor.fetchall())
            except psycopg2.Error as error:
                if not self._blames_row(error):
                    raise
                refused.update(range(start, end))
        return refused

    def in_order(self, rows: Rows, keys: Sequence[Hashable], *, repeated: bool) -> None:
        """Write rows that may depend on each other in any way."""
        related = bool(self._target.interplay.self_references)
        if self._may_copy and not related and (self._ignoring or not repeated):
            firsts = picked(rows, rounds_of(keys)[0]) if repeated else rows
            found: list[Poison] = []
            blocks = self._encoded(runs_of(self._target, firsts), found)
            # A refused row may have stood in the way of others.
            if not found and self._straight(blocks, whole=True):
                return
        if self._ignoring and not related:
            self._in_turn(rows, ())  # what is there already is left out by the database itself
        else:
            cuts = cuts_of(dependencies_of(self._target, rows, keys))
            ask = not spelt_alike(self._target, keys)
            self._in_turn(rows, cuts, in_order=True, ask=ask)

    def finish(self) -> None:
        """Leave the staging table as the next commit expects it."""
        if self._indexed is not None:
            self._cursor.execute(staging.unindex_statement(self._indexed))

    def _grouped(self, rows: Rows, positions: Sequence[int]) -> Sequence[int]:
        """``positions`` with rows of the same columns side by side."""
        signatures = signatures_of(self._target, rows)
        if signatures is None:
            return positions
        return sorted(positions, key=lambda position: sorted(signatures[position]))

    def _encoded(self, blocks: Sequence[Block], poison: list[Poison]) -> list[Lines]:
        encoded = [encode(self._target, block, poison) for block in blocks]
        return [lines for lines in encoded if lines.indices]

    def _in_turn(
        self, rows: Rows, cuts: Sequence[int], *, in_order: bool = False, ask: bool = False
    ) -> None:
        """Stage ``rows`` and insert them in their order, divided at the positions ``cuts``.

        With ``ask``, the database is asked which rows have the same key.
        """
        blocks = self._encoded(runs_of(self._target, rows), self._written.poison)
        if cuts and sum(len(lines.indices) for lines in blocks) < len(rows.indices):
            kept = {index for lines in blocks for index in lines.indices}
            gone = [p for p, index in enumerate(rows.indices) if index not in kept]
            cuts = [cut - bisect_left(gone, cut) for cut in cuts]
        if blocks:
            self._stage_and_insert(blocks, cuts, in_order=in_order, ask=ask)

    def _straight(self, blocks: list[Lines], *, whole: bool = False) -> bool:
        """COPY into the table; False, with nothing written, when keys or the table forbid.

        With ``whole``, a row that is refused forbids it as well.
        """
        found: list[Poison] = []
        loaded: list[Sequence[int]] = []
        table = quoted(self._target.table)
        self._written.collided = None
        try:
            with self._savepoint("straight"):
                for lines in blocks:
                    bad = self._copy_isolated(table, lines, found, whole=whole)
                    loaded.append(lines.without(bad).indices if bad else lines.indices)
        except psycopg2.Error as error:
            if sqlstate_of(error) in {UNIQUE_VIOLATION, *_NO_COPY}:
                self._written.collided = True
            elif not (whole and self._blames_row(error)):
                raise
            return False
        self._written.collided = False
        self._written.poison.extend(found)
        for indices in loaded:
            self._written.insert(self._records, indices)
        return True

    def _stage_and_insert(
        self,
        blocks: list[Lines],
        cuts: Sequence[int],
        *,
        in_order: bool = False,
        ask: bool = False,
    ) -> None:
        """COPY into a temporary table and insert from there, settling conflicts.

        Args:
            blocks: The rows, in order.
            cuts: Positions in all of them together that no statement reaches across.
            in_order: Whether rows are written in their order, whatever other writers do.
            ask: Whether the database is to say which rows have the same key.
        """
        offset = self._staged
        table, staged = self._stage(blocks)
        places = {offset + cut for cut in cuts}
        if in_order and not self._ignoring and not self._records.isolate:
            self._cursor.execute(staging.lock_statement(self._target, table, offset))
        if ask:
            self._cursor.execute(staging.repeats_statement(self._target, table, offset))
            repeats = [(int(row[0]), int(row[1])) for row in self._cursor.fetchall()]
            places.update(cuts_of([*repeats, *((place, place - 1) for place in places)]))
        if self._target.interplay.rewriting:
            places |= self._batch_ends(blocks, offset)
        self._insert_staged(table, staged, places)

    def _stage(self, blocks: Sequence[Lines]) -> tuple[staging.Staging, list[_Staged]]:
        """COPY blocks into the staging table, numbered on from what is there."""
        table = staging.create(self._cursor, self._target)
        staged: list[_Staged] = []
        for lines in blocks:
            found: list[Poison] = []
            numbered = staging.numbered(lines, self._staged, self._records, self._target)
            bad = self._copy_isolated(table.quoted, numbered, found)
            staged.append((lines, self._staged, bad, found))
            self._staged += len(lines.indices)
        return table, staged

    def _insert_staged(
        self, table: staging.Staging, staged: Sequence[_Staged], places: Collection[int]
    ) -> None:
        """Insert what was staged, divided at the numbers ``places``."""
        self._index(table, len(places))
        for lines, start, bad, found in staged:
            end = start + len(lines.indices)
            for first, last in pieces(start, end, self._places(lines, start, places)):
                self._insert_isolated(table, lines, start, (first, last), found, skip=bad)
            self._written.poison.extend(found)

    def _places(self, lines: Lines, start: int, places: Collection[int]) -> Collection[int]:
        """Where to divide the rows of one block, which begin at the number ``start``."""
        interplay = self._target.interplay
        if (interplay.rewriting and self._records.effects) or (
            interplay.entangled and staging.updates_first(self._target, lines.names)
        ):
            # A join tells neither which row a trigger has left of which, nor in which order.
            return range(start, start + len(lines.indices))
        return places

    def _batch_ends(self, blocks: Sequence[Lines], offset: int) -> set[int]:
        indices = list(chain.from_iterable(lines.indices for lines in blocks))
        batches = list(map(self._records.batch_of, indices))
        return {offset + p for p in range(1, len(batches)) if batches[p] != batches[p - 1]}

    def _index(self, table: staging.Staging, statements: int) -> None:
        """Index the staged rows, unless the few ``statements`` may as well read all of them."""
        if self._indexed is None and statements >= _FEW_STATEMENTS:
            self._cursor.execute(staging.index_statement(table))
            self._indexed = table

    def _copy_isolated(
        self, table: str, lines: Lines, found: list[Poison], *, whole: bool = False
    ) -> set[int]:
        statement = f"COPY {table} ({', '.join(map(quote, lines.names))}) FROM STDIN"

        def copy(start: int, end: int) -> None:
            data = lines.data(start, end)
            with self._savepoint("piece"):
                # In one piece: every further one would wait for the interpreter's lock again.
                self._cursor.copy_expert(statement, io.BytesIO(data), size=len(data) + 1)
                self._check_deferred()

        straight = table == quoted(self._target.table)
        return isolate(
            len(lines.indices),
            copy,
            lambda position, error: found.append(_poison(lines.indices[position], error)),
            lambda error: (
                self._blames_row(error)
                and not whole
                and not (straight and sqlstate_of(error) == UNIQUE_VIOLATION)
            ),
        )

    def _insert_isolated(
        self,
        table: staging.Staging,
        lines: Lines,
        offset: int,
        piece: tuple[int, int],
        found: list[Poison],
        skip: set[int],
    ) -> None:
        """Insert the staged rows ``piece``; those that are refused are added to ``found``.

        Args:
            table: Where they are.
            lines: The block that they belong to.
            offset: The number of its first row.
            piece: The numbers of the first row and of the one after the last.
            found: Where to enter poison.
            skip: Positions in the block that COPY has refused.
        """
        begin = piece[0] - offset
        count = piece[1] - piece[0]

        def insert(start: int, end: int) -> None:
            if end - start < count:
                # The poison is being closed in on: pieces must not read the whole table each.
                self._index(table, _FEW_STATEMENTS)
            with self._savepoint("piece"):
                counts = self._insert(table, lines, offset, begin + start, begin + end)
            if self._records.effects:
                effects: dict[int, Operation] = {
                    lines.indices[ordinal - offset]: "insert" if fresh else "update"
                    for ordinal, fresh in counts
                }
                self._written.affect(self._records, effects)
                return
            for batch, fresh, number in counts:
                tally = self._written.inserted if fresh else self._written.updated
                tally[batch] += number

        isolate(
            count,
            insert,
            lambda position, error: found.append(_poison(lines.indices[begin + position], error)),
            self._blames_row,
            skip={position - begin for position in skip if position >= begin},
        )

    def _insert(
        self, table: staging.Staging, lines: Lines, offset: int, start: int, end: int
    ) -> list[tuple[Any, ...]]:
        batch = None
        if self._target.interplay.rewriting or len(self._records.starts) == 1:
            batch = self._records.batch_of(lines.indices[start])
        statement = staging.insert_statement(
            self._target,
            table,
            lines.names,
            (offset + start, offset + end),
            batch=batch,
            effects=self._records.effects,
        )
        self._cursor.execute(statement)
        counts = self._cursor.fetchall()
        self._check_deferred()
        return list(counts)

    def _check_deferred(self) -> None:
        """Have deferred constraints checked now, while the rows to blame can be found."""
        if self._target.deferrable:
            self._cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def _blames_row(self, error: BaseException) -> bool:
        return classify(error).kind in self._blamed

    @contextmanager
    def _savepoint(self, name: str) -> Iterator[None]:
        self._cursor.execute(f"SAVEPOINT sluice_{name}")
        try:
            yield
        except psycopg2.Error as error:
            kinds = {*self._blamed, "fatal"}
            if classify(error).kind in kinds and not self._cursor.connection.closed:
                # Without the release each failure would nest one level deeper, and every row
                # that is read looks at all levels.
                self._cursor.execute(
                    f"ROLLBACK TO SAVEPOINT sluice_{name}; RELEASE SAVEPOINT sluice_{name}"
                )
            raise
        self._cursor.execute(f"RELEASE SAVEPOINT sluice_{name}")


def _poison(index: int, error: BaseException) -> Poison:
    verdict = classify(error)
    transient = verdict.kind == "transient"
    category = "contention" if transient else verdict.category
    return Poison(index, category, error, verdict.message, verdict.sqlstate, transient)
