"""The staging table of the PostgreSQL writer, and the statement that empties it.

It has the target's columns and types, but none of its constraints: a value of the wrong
type fails in COPY, which names the line, and a constraint in the INSERT that follows.
"""

# ruff: noqa: S608 - identifiers are quoted, values bound or formatted as integers

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sinks.dialect import Records
from sinks.lines import Lines, joined
from sinks.quoting import quote, quoted
from sinks.target import Target


@dataclass(frozen=True, slots=True)
class Staging:
    """The temporary table.

    Attributes:
        quoted: Its quoted name.
        index: Quoted name of the index that it may get.
        ordinal: Quoted name of the column that numbers the rows of a commit.
        batch: Quoted name of the column with the number of a row's batch.
    """

    quoted: str
    index: str
    ordinal: str
    batch: str


def create(cursor: Any, target: Target) -> Staging:
    """Create the staging table of ``target`` in this session, unless it is there.

    Its name depends on the columns, so a table that was altered gets another one. The rows
    vanish with the transaction.
    """
    columns = ", ".join(quote(column.name) for column in target.columns)
    shape = repr((target.table, target.columns))
    digest = hashlib.blake2b(shape.encode(), digest_size=8).hexdigest()
    ordinal, batch = _extra_names(target)
    name = f"sluice_{digest}"
    table = Staging(quote(name), quote(f"{name}_index"), quote(ordinal), quote(batch))
    cursor.execute("SET LOCAL client_min_messages = warning")  # "already exists, skipping"
    cursor.execute(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {table.quoted} ON COMMIT DELETE ROWS AS "
        f"SELECT {columns}, 0::bigint AS {table.ordinal}, 0::integer AS {table.batch} "
        f"FROM {quoted(target.table)} WITH NO DATA"
    )
    return table


def index_statement(table: Staging) -> str:
    """Index the rows by number, in this transaction."""
    return f"CREATE INDEX {table.index} ON {table.quoted} ({table.ordinal})"


def unindex_statement(table: Staging) -> str:
    """Drop that index again: the next commit may not need it."""
    return f"DROP INDEX pg_temp.{table.index}"


def numbered(lines: Lines, start: int, records: Records, target: Target) -> Lines:
    """``lines`` with the two columns that number row and batch."""
    if len(records.starts) == 1:
        texts = [f"{text}\t{number}\t0" for number, text in enumerate(lines.texts, start)]
    else:
        batches = map(records.batch_of, lines.indices)
        texts = [
            f"{text}\t{number}\t{batch}"
            for number, (text, batch) in enumerate(zip(lines.texts, batches, strict=True), start)
        ]
    return Lines((*lines.names, *_extra_names(target)), texts, lines.indices, joined(texts))


def insert_statement(
    target: Target,
    table: Staging,
    names: tuple[str, ...],
    start: int,
    end: int,
    *,
    effects: bool = False,
) -> str:
    """Insert the staged rows ``[start, end)`` into the target and count what came of them.

    The result has rows of (batch, whether inserted, how many); what is in none of them was
    a duplicate. With ``effects`` it has rows of (number of the row, whether inserted).
    """
    rows = f"BETWEEN {start:d} AND {end - 1:d}"
    columns = ", ".join(map(quote, names))
    key = ", ".join(map(quote, target.key))
    action = _action(target, names)
    if action == "NOTHING":
        same = " AND ".join(f"s.{quote(name)} = w.{quote(name)}" for name in target.key)
        staged_key = ", ".join(f"s.{quote(name)}" for name in target.key)
        shown = "ordinal, true" if effects else "batch, true, count(*)"
        return (
            f"WITH w AS (INSERT INTO {quoted(target.table)} ({columns}) "
            f"SELECT {columns} FROM {table.quoted} WHERE {table.ordinal} {rows} "
            f"ORDER BY {table.ordinal} ON CONFLICT ({key}) DO NOTHING RETURNING {key}) "
            f"SELECT {shown} FROM ("
            f"SELECT DISTINCT ON ({staged_key}) s.{table.batch} AS batch"
            f"{f', s.{table.ordinal} AS ordinal' if effects else ''} "
            f"FROM w JOIN {table.quoted} s ON {same} WHERE s.{table.ordinal} {rows} "
            f"ORDER BY {staged_key}, s.{table.ordinal}) counted"
            f"{'' if effects else ' GROUP BY batch'}"
        )
    newest = target.on_conflict.mode == "newest"
    order = (
        f"{quote(target.on_conflict.field)} DESC NULLS LAST, {table.ordinal}"
        if newest
        else f"{table.ordinal} DESC"
    )
    same = " AND ".join(f"c.{quote(name)} = w.{quote(name)}" for name in target.key)
    # xmax is 0 in a row version that no update has made. A partitioned table does not show
    # it (0A000); there the statement's snapshot tells, which other writers may outdate.
    there, fresh, shown = "", "sluice_target.xmax = 0", "w.sluice_fresh"
    if target.partitioned:
        match = " AND ".join(f"t.{quote(n)} = {table.quoted}.{quote(n)}" for n in target.key)
        there = f", EXISTS (SELECT FROM {quoted(target.table)} t WHERE {match}) AS sluice_there"
        fresh, shown = "true", "NOT c.sluice_there"
    result = (
        f"SELECT c.{table.ordinal}, {shown} FROM w JOIN c ON {same}"
        if effects
        else f"SELECT c.{table.batch}, {shown}, count(*) FROM w JOIN c ON {same} GROUP BY 1, 2"
    )
    number = table.ordinal if effects else table.batch
    return (
        f"WITH c AS MATERIALIZED (SELECT DISTINCT ON ({key}) {columns}, {number}{there} "
        f"FROM {table.quoted} WHERE {table.ordinal} {rows} ORDER BY {key}, {order}), "
        f"w AS (INSERT INTO {quoted(target.table)} AS sluice_target ({columns}) "
        f"SELECT {columns} FROM c ON CONFLICT ({key}) DO {action} "
        f"RETURNING {_returned_key(target)}, {fresh} AS sluice_fresh) "
        f"{result}"
    )


def _action(target: Target, names: tuple[str, ...]) -> str:
    settable = [name for name in names if name not in target.key]
    if target.on_conflict.mode == "ignore" or not settable:
        return "NOTHING"
    changes = ", ".join(f"{quote(name)} = EXCLUDED.{quote(name)}" for name in settable)
    action = f"UPDATE SET {changes}"
    if target.on_conflict.mode == "newest":
        field = quote(target.on_conflict.field)
        action += (
            f" WHERE sluice_target.{field} IS NULL OR sluice_target.{field} < EXCLUDED.{field}"
        )
    return action


def _returned_key(target: Target) -> str:
    return ", ".join(f"sluice_target.{quote(name)}" for name in target.key)


def _extra_names(target: Target) -> tuple[str, str]:
    """Names that no column of the target has."""
    taken = {column.name for column in target.columns}
    suffix = ""
    while taken & {f"sluice_ordinal{suffix}", f"sluice_batch{suffix}"}:
        suffix += "_"
    return f"sluice_ordinal{suffix}", f"sluice_batch{suffix}"
