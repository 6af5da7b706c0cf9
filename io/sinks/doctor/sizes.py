"""How large the tables are, how fast they grow, and what takes room in them for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from sinks.database.catalogue.figures import Server, TableSize
from sinks.database.dialects import dialect_of
from sinks.database.tables import metadata, progress
from sinks.doctor.item import Item, room
from sinks.doctor.scope import Scope
from sinks.text.quoting import quote, quoted
from transforms.route.table_name import TableName

MANY_DEAD = 100_000
"""Dead rows below this number are no matter, whatever part of the table they are."""

DEAD_PART = 0.2
"""The part of a table from which on its dead rows are many: autovacuum's own default."""

MANY_PARTITIONS = 1_000_000
"""Rows of the ledger from which on files that are gone are worth forgetting."""

FREE_PART = 0.5
"""The part of SQLite's file from which on free room is worth giving back."""

MUCH_FREE = 100_000_000
"""Free bytes below this number are no matter."""

SHOWN = 3
"""How many of the largest tables are named."""


def dead_rows(table: str, size: TableSize) -> Item | None:
    """The verdict on the dead rows of a table; None if they are few."""
    if size.dead is None or size.dead < MANY_DEAD or size.dead < DEAD_PART * size.rows:
        return None
    what = f"{size.dead:,} dead rows beside {size.rows:,} live ones"
    todo = f"run VACUUM (ANALYZE) {table}; if they come back, look for long transactions, and let "
    todo += "autovacuum come more often (autovacuum_vacuum_scale_factor)"
    return Item("bloat", "warning", what, table, todo, {"dead": size.dead, "rows": size.rows})


def unvacuumed(table: str, size: TableSize) -> Item | None:
    """The verdict on a table that the server must not clean; None if it may."""
    if size.vacuums is not False:
        return None
    todo = f"run ALTER TABLE {table} RESET (autovacuum_enabled)"
    return Item("autovacuum", "warning", "autovacuum is off for this table", table, todo)


def ledger(rows: int) -> Item | None:
    """The verdict on the number of rows of the ledger; None if they are not many."""
    if rows < MANY_PARTITIONS:
        return None
    what = f"the ledger has about {rows:,} rows"
    todo = "if files are gone that it has: sluice ledger forget --source … --older_than …"
    return Item("sizes", "warning", what, progress.name, todo, {"rows": rows})


def free_room(of: Server) -> Item | None:
    """The verdict on room in the file of a database that holds nothing; None if it is little."""
    if not of.bytes or not of.free_bytes or of.free_bytes < MUCH_FREE:
        return None
    if of.free_bytes < FREE_PART * of.bytes:
        return None
    what = f"{room(of.free_bytes)} of {room(of.bytes)} hold nothing"
    todo = (
        "run VACUUM while no pipeline runs, if the disk needs the room; otherwise it is used again"
    )
    figures = {"bytes": of.bytes, "free_bytes": of.free_bytes}
    return Item("bloat", "warning", what, "database", todo, figures)


def summary(sizes: Mapping[str, TableSize], now: datetime) -> Item:
    """The sizes and the growth of tables, the largest first."""
    largest = sorted(sizes.items(), key=lambda entry: -(entry[1].bytes or 0))
    total = sum(size.bytes or 0 for size in sizes.values())
    parts = [f"{table} {_described(size, now)}" for table, size in largest[:SHOWN]]
    figures = {
        table: {
            "rows": size.rows,
            "bytes": size.bytes,
            "dead": size.dead,
            "rows_a_day": growth(size, now),
        }
        for table, size in largest
    }
    what = f"{room(total)} in {len(sizes)} tables: {', '.join(parts)}"
    return Item("sizes", "ok", what, figures=figures)


def growth(size: TableSize, now: datetime) -> float | None:
    """By how many rows a table grows in a day; None if nobody counts, or not for an hour yet."""
    if size.grown is None or size.since is None:
        return None
    days = (now - size.since) / timedelta(days=1)
    return round(size.grown / days, 1) if days > 1 / 24 else None


def _described(size: TableSize, now: datetime) -> str:
    text = f"{room(size.bytes or 0)} ({size.rows:,} rows"
    a_day = growth(size, now)
    return f"{text})" if a_day is None else f"{text}, {a_day:+,.0f} a day)"


def check(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """Look at the tables named ``ingest_`` and the target tables, without reading them."""
    dialect = dialect_of(connection)
    tables = [*map(quote, metadata.tables), *(quoted(TableName.parse(t)) for t in scope.tables)]
    sizes = dialect.sizes(connection, tables)
    of = dialect.server(connection)
    if sizes is not None:
        yield from _of_tables(tables, sizes, scope.now)
    elif of.bytes is not None:
        rows = dialect.about_rows(connection, progress.name)
        what = f"{room(of.bytes)}; {of.name} does not say how large each table is"
        yield Item("sizes", "ok", what, figures={"bytes": of.bytes, "ledger_rows": rows})
        yield from filter(None, (ledger(rows), free_room(of)))
    else:
        yield Item("sizes", "skipped", f"{of.name} does not say how large its tables are")


def _of_tables(
    tables: Sequence[str], sizes: Mapping[str, TableSize], now: datetime
) -> Iterator[Item]:
    yield summary(sizes, now)
    for table in tables:
        if table in sizes:
            yield from filter(
                None, (dead_rows(table, sizes[table]), unvacuumed(table, sizes[table]))
            )
    yield from filter(None, [ledger(sizes[quote(progress.name)].rows)])
