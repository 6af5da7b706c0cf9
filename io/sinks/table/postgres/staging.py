"""Writing by way of a staging table: COPY takes the rows there, INSERT settles the conflicts.

The staging table has the target's columns and types, but none of its constraints. A value of
the wrong type fails in COPY, which names the line, and a constraint in the INSERT that follows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import psycopg2

from sinks.database.classify import sqlstate_of
from sinks.database.tables import Operation
from sinks.table.evidence import Evidence
from sinks.table.isolate import FEW_ROWS, Blame, are_dense, isolate, poison_of
from sinks.table.postgres import rights, staging_table, statements
from sinks.table.postgres.lines import Lines
from sinks.table.postgres.refused import conditions, trial, unreadable
from sinks.table.postgres.refused.refusal import Refusal
from sinks.table.postgres.session import Session
from sinks.table.postgres.staged_block import StagedBlock
from sinks.table.postgres.staging_table import StagingTable
from sinks.table.records import Records, Written
from sinks.table.rows import Poison
from sinks.table.target import Target
from sinks.table.turns import cuts_of, pieces

_REFUSALS = frozenset({"23502", "23514"})  # not_null_violation, check_violation
_FEW_STATEMENTS = 8  # that may each read the whole staging table


class Staging:
    """The staging table during one commit.

    Args:
        session: In the commit's transaction.
        target: The table that the rows are for.
        records: The commit's records.
        written: Gets what became of them.
        evidence: Gets which rows took effect.

    Attributes:
        refusing: Whether the target has just refused rows among those that come now.
    """

    def __init__(
        self,
        session: Session,
        target: Target,
        records: Records,
        written: Written,
        evidence: Evidence,
    ) -> None:
        self.session = session
        self.target = target
        self.records = records
        self.written = written
        self.refusing = False
        self._evidence = evidence
        self._count = 0
        self._table: StagingTable | None = None
        self._indexed = False

    @property
    def table(self) -> StagingTable:
        """The temporary table, created in this session if it is not there."""
        if self._table is None:
            self._table = staging_table.table_of(self.target)
            if self.session.query(staging_table.there_statement(self._table))[0][0]:
                return self._table
            # "already exists, skipping"
            self.session.execute("SET LOCAL client_min_messages = warning")
            try:
                with self.session.savepoint("staging"):
                    for statement in self._table.create:
                        self.session.execute(statement)
            except psycopg2.Error as error:
                self.session.refuse_lack_of(
                    error, lambda: [("SELECT", column.name) for column in self.target.columns]
                )
                raise
        return self._table

    def wrote_whole(self, lines: Lines) -> bool:
        """Stage rows that do not depend on each other, and insert them by one statement.

        Their records ascend. Rows without numbers cost less on their way, but none of them can be
        set aside: False, with nothing written, if one is refused, or if it cannot be done so.
        """
        session, target, records, names = self.session, self.target, self.records, lines.names
        batch = 0 if len(records.starts) == 1 else None
        statement = statements.whole_statement(target, self.table, names, batch)
        if statement is None or self._count or session.isolate or records.effects:
            return False
        try:
            with session.savepoint("whole"):
                session.load(self.table.quoted, *staging_table.by_batch(lines, records, target))
                results = session.query(statement)
                session.check_deferred()
        except psycopg2.Error as error:
            if not session.undoes(error):
                raise
            return False
        self._evidence.passed(len(results))
        self._count_results_of_batches(results)
        return True

    def write(
        self,
        blocks: Sequence[Lines],
        cuts: Sequence[int],
        *,
        in_order: bool = False,
        ask: bool = False,
    ) -> None:
        """Stage ``blocks`` and insert them into the target.

        Args:
            blocks: The rows, in order.
            cuts: Positions in all of them together that no statement reaches across.
            in_order: Whether rows are written in their order, whatever other writers do.
            ask: Whether to ask the database which rows have the same key.
        """
        target = self.target
        start = self._count
        staged = self.stage(blocks)
        numbers = {start + cut for cut in cuts}
        if in_order and target.on_conflict.mode != "ignore" and not self.session.isolate:
            self.session.execute(statements.lock_statement(target, self.table, start))
        if ask:
            rows = self.session.query(statements.repeats_statement(target, self.table, start))
            repeats = [(int(row[0]), int(row[1])) for row in rows]
            numbers.update(cuts_of([*repeats, *((cut, cut - 1) for cut in numbers)]))
        if target.interplay.rewriting:
            numbers |= self._batch_ends(blocks, start)
        self.insert(staged, numbers)

    def stage(self, blocks: Sequence[Lines]) -> list[StagedBlock]:
        """COPY blocks into the staging table; their numbers follow those that are there."""
        table = self.table
        staged = []
        for lines in blocks:
            block = StagedBlock(lines, self._count)
            numbered = staging_table.numbered(lines, block.start, self.records, self.target, table)
            block.refused = self._copied(numbered, block.poison)
            staged.append(block)
            self._count = block.end
        return staged

    def _copied(self, lines: Lines, poison: list[Poison]) -> set[int]:
        """COPY numbered rows into the staging table; the positions of those that are refused."""
        session, table = self.session, self.table
        first: list[Poison] = []

        def blame(error: BaseException) -> Blame:
            return "nobody" if are_dense(first) else session.blame(error)

        try:
            with session.savepoint("stage"):
                refused = session.copy(table.quoted, lines, first, blame, closing="stage")
        except psycopg2.Error as error:
            if not are_dense(first) or session.blame(error) != "row":
                raise
            return unreadable.copy(session, table.quoted, lines, poison, error)
        poison += first
        return refused

    def insert(self, staged: Sequence[StagedBlock], cuts: Collection[int]) -> None:
        """Insert what was staged.

        Args:
            staged: Blocks, in order.
            cuts: Numbers of rows that no statement reaches across.
        """
        self._index(len(cuts))
        for block in staged:
            for start, end in pieces(block.start, block.end, self._cuts(block, cuts)):
                self._insert_isolated(block, start, end)
            self.written.poison.extend(block.poison)

    def refused(self, block: StagedBlock, start: int, end: int) -> set[int] | None:
        """Which of the rows ``[start, end)``, by number, lack a value or do not meet a CHECK.

        None if it cannot be told.
        """
        statement = statements.refusals_statement(
            self.target, self.table, block.lines.names, (start, end)
        )
        if statement is None:
            return set()
        try:
            with self.session.savepoint("refusals"):
                return {int(row[0]) for row in self.session.query(statement)}
        except psycopg2.Error as error:
            if self.session.blame(error) == "nobody":
                raise
            return None

    def finish(self) -> None:
        """Leave the staging table as the next commit expects it."""
        if self._indexed:
            self.session.execute(staging_table.unindex_statement(self.table))
        if self.records.again and self._table is not None:
            self.session.execute(f"TRUNCATE {self._table.quoted}")

    def _cuts(self, block: StagedBlock, cuts: Collection[int]) -> Collection[int]:
        """Where to divide the rows of one block."""
        interplay = self.target.interplay
        if (interplay.rewriting and self.records.effects) or (
            interplay.entangled and statements.updates_first(self.target, block.lines.names)
        ):
            # A join tells neither which row a trigger has left of which, nor in which order.
            return range(block.start, block.end)
        return cuts

    def _batch_ends(self, blocks: Sequence[Lines], start: int) -> set[int]:
        indices = chain.from_iterable(lines.indices for lines in blocks)
        batches = list(map(self.records.batch_of, indices))
        return {start + p for p in range(1, len(batches)) if batches[p] != batches[p - 1]}

    def _index(self, count: int) -> None:
        """Index the staged rows if more than a few (``count``) statements would read them all."""
        if not self._indexed and count >= _FEW_STATEMENTS:
            self.session.execute(staging_table.index_statement(self.table))
            self._indexed = True

    def _insert_isolated(self, block: StagedBlock, start: int, end: int) -> None:
        """Insert the rows ``[start, end)``, by number; those that are refused become poison."""
        numbers: Sequence[int] = [
            number for number in range(start, end) if number - block.start not in block.refused
        ]
        if len(numbers) <= FEW_ROWS or self.session.isolate:
            self._insert_piecewise(block, numbers)
            return
        if not self.refusing and self._refused_whole(block, numbers) is None:
            return
        asked = self._without_broken(block, numbers)
        if len(asked) < len(numbers):
            numbers = asked
            if not numbers or self._refused_whole(block, numbers) is None:
                return
        for place in range(0, len(numbers), trial.AT_ONCE):
            rest = self._without_suspects(block, numbers[place : place + trial.AT_ONCE])
            if rest:
                self._insert_piecewise(block, self._without_refused(block, rest, rest))

    def _without_broken(self, block: StagedBlock, numbers: Sequence[int]) -> Sequence[int]:
        """Set those of the staged rows aside that break conditions; the numbers of the others."""
        names = block.lines.names
        if not conditions.can_ask(self.target, names) or statements.updates_first(
            self.target, names
        ):
            return numbers
        refusals = conditions.refusals(
            *(self.session, self.target, self.table, names, (numbers[0], numbers[-1] + 1)),
            partial(self._tried, block),
        )
        return self._set_aside(block, numbers, refusals)

    def _tried(self, block: StagedBlock, numbers: Sequence[int]) -> Mapping[int, Refusal]:
        """What the server says of those rows that it refuses, each tried by itself."""
        self._index(len(numbers))
        statement = statements.trial_statement(
            self.target, self.table, block.lines.names, trial.SPAN, trial.RESULT
        )
        deferrable = self.target.deferrable
        return trial.refusals(self.session, statement, numbers, deferrable=deferrable) or {}

    def _without_suspects(self, block: StagedBlock, numbers: Sequence[int]) -> Sequence[int]:
        """Insert rows; without those that the table itself would refuse, if that is all it takes.

        Returns:
            The numbers of the rows that are not inserted, and not set aside either.
        """
        error = self._refused_whole(block, numbers)
        if error is None:
            return ()
        if sqlstate_of(error) not in _REFUSALS:
            return numbers
        refused = self.refused(block, numbers[0], numbers[-1] + 1) or ()
        suspected = [number for number in numbers if number in refused]
        rest = self._without_refused(block, numbers, suspected)
        if not rest or (len(rest) < len(numbers) and self._refused_whole(block, rest) is None):
            return ()
        return rest

    def _refused_whole(self, block: StagedBlock, numbers: Sequence[int]) -> psycopg2.Error | None:
        """Insert the rows with these numbers at once; the error if one of them is to blame for it."""
        try:
            effect = self._insert_pieces(block, numbers)
        except psycopg2.Error as error:
            if self._blame(block, error) == "nobody":
                raise
            return error
        self._evidence.passed(effect)
        return None

    def _without_refused(
        self, block: StagedBlock, numbers: Sequence[int], suspected: Sequence[int]
    ) -> Sequence[int]:
        """Set those of the staged rows aside of which the server says that it refuses them.

        Args:
            block: The rows.
            numbers: Which of them.
            suspected: Those to ask about.

        Returns:
            The numbers of the other rows. Some of them may be refused as well.
        """
        if not suspected:
            return numbers
        return self._set_aside(block, numbers, self._tried(block, suspected))

    def _set_aside(
        self, block: StagedBlock, numbers: Sequence[int], refusals: Mapping[int, Refusal]
    ) -> Sequence[int]:
        """Take rows that are to blame out of the staging table; the numbers of the others."""
        gone = block.blame(refusals)
        rest = [number for number in numbers if number not in gone]
        if gone and rest:
            self.session.execute(statements.delete_statement(self.table, gone))
        return rest

    def _insert_piecewise(self, block: StagedBlock, numbers: Sequence[int]) -> None:
        """Insert the rows with these numbers; those that are refused become poison, one by one.

        The staging table has no other rows between the first and the last of them.
        """

        def insert(first: int, last: int) -> int:
            if last - first < len(numbers):
                # Poison is being isolated: pieces must not read the whole table each.
                self._index(_FEW_STATEMENTS)
            return self._insert_pieces(block, numbers[first:last])

        def fail(place: int, error: BaseException) -> None:
            index = block.lines.indices[numbers[place] - block.start]
            block.poison.append(poison_of(index, error))

        def blame(error: BaseException) -> Blame:
            return self._blame(block, error)

        def suspects(error: BaseException, first: int, last: int) -> Collection[int]:
            if sqlstate_of(error) not in _REFUSALS:
                return ()
            refused = self.refused(block, numbers[first], numbers[last - 1] + 1) or ()
            return [place for place in range(first, last) if numbers[place] in refused]

        isolate(len(numbers), insert, fail, blame, self._evidence, suspects=suspects)

    def _blame(self, block: StagedBlock, error: BaseException) -> Blame:
        names = block.lines.names
        self.session.refuse_lack_of(error, lambda: rights.needed(self.target, names))
        return self.session.blame(error)

    def _insert_pieces(self, block: StagedBlock, numbers: Sequence[int]) -> int:
        """Insert the rows with these numbers, or none of them; how many took effect."""
        with self.session.savepoint("piece"):
            results = self._insert(block, numbers[0], numbers[-1] + 1)
        self._count_results(block, results)
        return len(results)

    def _insert(self, block: StagedBlock, start: int, end: int) -> list[tuple[Any, ...]]:
        batch = None
        if self.target.interplay.rewriting or len(self.records.starts) == 1:
            batch = self.records.batch_of(block.lines.indices[start - block.start])
        statement = statements.insert_statement(
            self.target,
            self.table,
            block.lines.names,
            (start, end),
            batch=batch,
            effects=self.records.effects,
        )
        results = self.session.query(statement)
        self.session.check_deferred()
        return results

    def _count_results(self, block: StagedBlock, results: Sequence[tuple[Any, ...]]) -> None:
        if self.records.effects:
            effects: dict[int, Operation] = {
                block.lines.indices[number - block.start]: "insert" if fresh else "update"
                for number, fresh in results
            }
            self.written.affect(self.records, effects)
            return
        self._count_results_of_batches(results)

    def _count_results_of_batches(self, results: Sequence[tuple[Any, ...]]) -> None:
        for batch, fresh, count in results:
            counts = self.written.inserted if fresh else self.written.updated
            counts[batch] += count
