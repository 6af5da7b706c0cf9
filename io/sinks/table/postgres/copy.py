"""Writing rows by COPY: directly into the table, or by way of the staging table."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from itertools import accumulate, chain

import psycopg2
import sqlalchemy as sa

from sinks.database.classify import sqlstate_of
from sinks.table.evidence import Evidence
from sinks.table.isolate import FEW_ROWS, Blame, are_dense, blame_of, copy_line_of
from sinks.table.postgres import direct
from sinks.table.postgres.folding import fold
from sinks.table.postgres.keys import are_distinct, dependencies_of, keys_of, spelt_alike
from sinks.table.postgres.lines import Lines, encode_blocks
from sinks.table.postgres.session import Session
from sinks.table.postgres.staging import Staging
from sinks.table.postgres.statements import updates_first
from sinks.table.records import Records, Written
from sinks.table.rows import Block, Poison, Rows, blocks_of, picked, rows_of, runs_of, signatures_of
from sinks.table.target import Target
from sinks.table.turns import cuts_of, rounds_of
from sinks.text.quoting import quoted

UNIQUE_VIOLATION = "23505"
_MANY_ROUNDS = 4  # up to which no rows are folded


def write(connection: sa.Connection, target: Target, records: Records) -> Written:
    """Write ``records`` inside the connection's transaction, as if one by one and in order.

    Raises:
        psycopg2.Error: No record is to blame.
    """
    written = Written.nothing(len(records.starts))
    rows, written.poison = rows_of(target, records.values, records.origin)
    if not rows.indices:
        return written
    evidence = written.evidence = Evidence.of(connection, target)
    writer = _CopyWriter(connection, target, records, written, evidence)
    entangled = target.interplay.entangled
    apart = not entangled and are_distinct(target, rows)
    keys = () if apart else keys_of(target, rows)
    distinct = len(rows.indices) if apart else len(set(keys))
    repeated = distinct < len(rows.indices)
    simple = target.on_conflict.mode == "ignore" and not repeated
    if entangled or not (
        apart
        # With ignore, the database finds equal keys by itself as long as the order is kept.
        or (simple and signatures_of(target, rows) is None)
        or spelt_alike(target, keys)
    ):
        writer.in_order(rows, keys, repeated=repeated)
    elif repeated:
        writer.in_rounds(rows, keys)
    else:
        writer.in_one_go(rows)
    writer.finish()
    if not written.collided and sum(written.inserted) + len(written.poison) < distinct:
        written.collided = True
    evidence.check()
    return written


class _CopyWriter:
    """Writes the rows of one commit, in as few statements as their dependencies allow."""

    def __init__(
        self,
        connection: sa.Connection,
        target: Target,
        records: Records,
        written: Written,
        evidence: Evidence,
    ) -> None:
        self._session = Session(connection, target, isolate=records.isolate)
        self._staging = Staging(self._session, target, records, written, evidence)
        self._evidence = evidence
        self._target = target
        self._records = records
        self._written = written
        self._ignoring = target.on_conflict.mode == "ignore"
        self._may_copy = (
            # A name that looks like the context of COPY's errors would put the blame elsewhere.
            "," not in target.table.name
            # COPY counts what triggers leave of the rows by the table, not by the batch.
            and not target.interplay.rewriting
            and not direct.is_paused(target)
        )

    def in_one_go(self, rows: Rows) -> None:
        """Write rows that do not depend on each other."""
        blocks = encode_blocks(
            self._target,
            blocks_of(self._target, rows),
            self._written.poison,
            binary=self._may_copy,
        )
        if not blocks or (self._may_copy and self._copied_directly(blocks)):
            return
        whole = len(blocks) == 1 and not self._staging.refusing
        if not (whole and self._staging.wrote_whole(blocks[0])):
            self._staging.write(blocks, ())

    def in_rounds(self, rows: Rows, keys: Sequence[Hashable]) -> None:
        """Write rows that depend on each other by their keys alone: each key's rows in order."""
        rounds = rounds_of(keys)
        if not self._ignoring and len(rounds) > _MANY_ROUNDS:
            rest = fold(self._staging, rows, keys)
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
            refused = {key_of[bad.index] for bad in poison[before:] if bad.index in key_of}
            before = len(poison)
            self._in_turn(picked(rows, [p for p in positions if keys[p] in refused]), ())

    def in_order(self, rows: Rows, keys: Sequence[Hashable], *, repeated: bool) -> None:
        """Write rows that may depend on each other in any way."""
        related = bool(self._target.interplay.self_references)
        if self._may_copy and not related and (self._ignoring or not repeated):
            firsts = picked(rows, rounds_of(keys)[0]) if repeated else rows
            poison: list[Poison] = []
            blocks = self._encoded(runs_of(self._target, firsts), poison)
            # A refused row may have stood in the way of others.
            if not poison and self._copied_directly(blocks, whole=True):
                return
        if self._ignoring and not related:
            self._in_turn(rows, ())  # the database itself leaves out what is there already
        else:
            cuts = cuts_of(dependencies_of(self._target, rows, keys))
            ask = not spelt_alike(self._target, keys)
            self._in_turn(rows, cuts, in_order=True, ask=ask)

    def finish(self) -> None:
        """Leave the staging table as the next commit expects it."""
        self._staging.finish()

    def _grouped(self, rows: Rows, positions: Sequence[int]) -> Sequence[int]:
        """``positions`` with rows of the same columns side by side."""
        signatures = signatures_of(self._target, rows)
        if signatures is None:
            return positions
        return sorted(positions, key=lambda position: sorted(signatures[position]))

    def _encoded(self, blocks: Sequence[Block], poison: list[Poison]) -> list[Lines]:
        return encode_blocks(self._target, blocks, poison)

    def _in_turn(
        self, rows: Rows, cuts: Sequence[int], *, in_order: bool = False, ask: bool = False
    ) -> None:
        """Stage ``rows`` and insert them in their order, divided at the positions ``cuts``.

        With ``ask``, the database is asked which rows have the same key.
        """
        blocks = self._encoded(runs_of(self._target, rows), self._written.poison)
        if cuts and sum(len(lines.indices) for lines in blocks) < len(rows.indices):
            encoded = {index for lines in blocks for index in lines.indices}
            gone = [p for p, index in enumerate(rows.indices) if index not in encoded]
            cuts = [cut - bisect_left(gone, cut) for cut in cuts]
        if blocks:
            self._staging.write(blocks, cuts, in_order=in_order, ask=ask)

    def _copied_directly(self, blocks: Sequence[Lines], *, whole: bool = False) -> bool:
        """COPY into the table; False, with nothing written, when keys or the table forbid it.

        With ``whole``, a row that is refused forbids it as well.
        """
        if any(updates_first(self._target, lines.names) for lines in blocks):
            return False  # COPY would refuse a row that lacks a column, before it sees the key
        if direct.is_in_doubt(self._target) and direct.are_known(
            self._session, self._target, blocks
        ):
            self._written.collided = True
            return False

        def blame(error: BaseException) -> Blame:
            if whole or sqlstate_of(error) == UNIQUE_VIOLATION:
                return "nobody"
            verdict = self._session.blame(error)
            unnamed = many and copy_line_of(error) is None
            if verdict == "row" and (unnamed or are_dense(poison)):
                self._staging.refusing = True  # staging finds them together
                return "nobody"
            return "nobody" if verdict == "doubtful" else verdict  # staging finds whose it is

        many = sum(len(lines.indices) for lines in blocks) > FEW_ROWS
        poison: list[Poison] = []
        loaded: list[Sequence[int]] = []
        table = quoted(self._target.table)
        self._written.collided = None
        try:
            if self._copied_in_binary(table, blocks):
                loaded += [lines.indices for lines in blocks]
            else:
                with self._session.savepoint("direct"):
                    for lines in blocks:
                        closing = "direct" if lines is blocks[-1] else "piece"
                        bad = self._session.copy(table, lines, poison, blame, closing=closing)
                        loaded.append(lines.without(bad).indices if bad else lines.indices)
        except psycopg2.Error as error:
            if sqlstate_of(error) == UNIQUE_VIOLATION or blame_of(error) == "doubtful":
                self._written.collided = True
            elif not ((whole or self._staging.refusing) and self._session.blame(error) == "row"):
                raise
            return False
        self._written.collided = False
        self._written.poison.extend(poison)
        for indices in loaded:
            self._evidence.passed(len(indices))
            self._written.insert(self._records, indices)
        return True

    def _copied_in_binary(self, table: str, blocks: Sequence[Lines]) -> bool:
        """COPY rows in the binary format; False, with nothing written, when one is refused.

        What is said of such a row is what the database says of its text.
        """
        if any(lines.binary is None for lines in blocks):
            return False
        try:
            with self._session.savepoint("direct"):
                for lines in blocks:
                    closing = "direct" if lines is blocks[-1] else ""
                    data = lines.binary or b""
                    self._session.load(table, lines.names, data, closing=closing, binary=True)
        except psycopg2.Error as error:
            if sqlstate_of(error) == UNIQUE_VIOLATION or self._session.blame(error) != "row":
                raise
            return False
        return True
