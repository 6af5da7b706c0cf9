"""Writing to PostgreSQL by COPY: straight into the table, or by way of a staging table.

Straight costs the server two thirds of staging, but fails on a key that is there already.
So it is tried first, inside a savepoint, and after a collision left alone for a while:
every try that fails leaves dead rows behind.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
import sqlalchemy as sa

from sinks import postgres_staging as staging
from sinks.classify import classify, sqlstate_of
from sinks.columns import encoder_of
from sinks.dialect import Operation, Records, Written
from sinks.isolate import isolate
from sinks.lines import Lines, encode
from sinks.quoting import quote, quoted
from sinks.rows import Poison, Rows, blocks_of, first, merged, rows_of
from sinks.target import Target

UNIQUE_VIOLATION = "23505"
# Errors of the straight way that say nothing about rows: COPY into a view or past row security.
_NO_COPY = frozenset({"0A000", "42809"})
LONGEST_SKIP = 64
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
    """Write ``records`` inside the connection's transaction.

    Raises:
        psycopg2.Error: No record is to blame.
    """
    written = Written.nothing(len(records.starts))
    rows, written.poison = rows_of(target, records.values, records.origin)
    keys = _keys(target, rows)
    repeated = len(set(keys)) < len(keys)
    if target.on_conflict.mode == "ignore":
        rows = first(rows, keys)
    elif target.on_conflict.mode == "update":
        before, rows = rows, merged(rows, keys)
        if not target.whole_payload:
            written.lay_under(records, before, rows)
    blocks = [encode(target, block, written.poison) for block in blocks_of(target, rows)]
    blocks = [lines for lines in blocks if lines.indices]
    if not blocks:
        return written
    writer = _Writer(connection.connection.dbapi_connection, target, records, written)
    if records.isolate:
        writer.isolate()
    only_staged = (
        # The database picks the newest, which only the staged way can.
        (repeated and target.on_conflict.mode == "newest")
        # A name that looks like the context of COPY's errors would put the blame elsewhere.
        or ", line " in target.table.name
    )
    if only_staged or skipped(target) or not writer.straight(blocks):
        writer.staged(blocks)
    return written


def _keys(target: Target, rows: Rows) -> Sequence[Hashable]:
    """The key of each row as the database compares it, as far as that is cheaply known."""
    columns = [_key_cells(target, rows, name) for name in target.key]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def _key_cells(target: Target, rows: Rows, name: str) -> Sequence[Hashable]:
    kind = next(column.type for column in target.columns if column.name == name)
    cells = rows.cells(name)
    encoder = encoder_of(kind)
    try:
        encoded = encoder(cells)
    except (ValueError, TypeError, ArithmeticError):
        # A value that cannot be encoded equals no other; its row is set aside later.
        return [_encoded_or_unique(encoder, cell) for cell in cells]
    if kind == "uuid" and target.on_conflict.mode != "ignore":
        return [text.lower() for text in encoded]  # what is merged here is merged for good
    return encoded


def _encoded_or_unique(encoder: Callable[[Sequence[Any]], Sequence[str]], cell: Any) -> Hashable:
    try:
        return encoder([cell])[0]
    except (ValueError, TypeError, ArithmeticError):
        return object()


class _Writer:
    """One write on one connection."""

    def __init__(self, driver: Any, target: Target, records: Records, written: Written) -> None:
        self._cursor = driver.cursor()
        self._target = target
        self._records = records
        self._written = written
        self._blamed = _BLAMED | ({"transient"} if records.isolate else set())

    def isolate(self) -> None:
        """Wait for locks only briefly, until the transaction ends."""
        self._cursor.execute(_ISOLATING)

    def straight(self, blocks: list[Lines]) -> bool:
        """COPY into the table; False, with nothing written, when keys or the table forbid."""
        found: list[Poison] = []
        loaded: list[Sequence[int]] = []
        table = quoted(self._target.table)
        try:
            with self._savepoint("straight"):
                for lines in blocks:
                    bad = self._copy_isolated(table, lines, found)
                    loaded.append(lines.without(bad).indices if bad else lines.indices)
        except psycopg2.Error as error:
            if sqlstate_of(error) not in {UNIQUE_VIOLATION, *_NO_COPY}:
                raise
            self._written.collided = True
            return False
        self._written.collided = False
        self._written.poison.extend(found)
        for indices in loaded:
            self._written.insert(self._records, indices)
        return True

    def staged(self, blocks: list[Lines]) -> None:
        """COPY into a temporary table and insert from there, settling conflicts."""
        table = staging.create(self._cursor, self._target)
        start = 0
        for block in blocks:
            found: list[Poison] = []
            lines = staging.numbered(block, start, self._records, self._target)
            bad = self._copy_isolated(table.quoted, lines, found)
            bad |= self._insert_isolated(table, block, start, found, skip=bad)
            self._written.poison.extend(found)
            start += len(block.indices)

    def _copy_isolated(self, table: str, lines: Lines, found: list[Poison]) -> set[int]:
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
                and not (straight and sqlstate_of(error) == UNIQUE_VIOLATION)
            ),
        )

    def _insert_isolated(
        self,
        table: staging.Staging,
        lines: Lines,
        offset: int,
        found: list[Poison],
        skip: set[int],
    ) -> set[int]:
        indexed = False

        def insert(start: int, end: int) -> None:
            nonlocal indexed
            if not indexed and end - start < len(lines.indices):
                # The poison is being closed in on: pieces must not read the whole table each.
                self._cursor.execute(staging.index_statement(table))
                indexed = True
            with self._savepoint("piece"):
                counts = self._insert(table, lines.names, offset + start, offset + end)
            if self._records.effects:
                effects: dict[int, Operation] = {
                    lines.indices[ordinal - offset]: "insert" if fresh else "update"
                    for ordinal, fresh in counts
                }
                self._written.affect(self._records, effects)
                return
            for batch, fresh, count in counts:
                tally = self._written.inserted if fresh else self._written.updated
                tally[batch] += count

        failed = isolate(
            len(lines.indices),
            insert,
            lambda position, error: found.append(_poison(lines.indices[position], error)),
            self._blames_row,
            skip=skip,
        )
        if indexed:
            self._cursor.execute(staging.unindex_statement(table))
        return failed

    def _insert(
        self, table: staging.Staging, names: tuple[str, ...], start: int, end: int
    ) -> list[tuple[Any, ...]]:
        statement = staging.insert_statement(
            self._target, table, names, start, end, effects=self._records.effects
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
