"""Whether tables and indexes are there and complete, and each target has a unique key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from sinks.database.dialects import dialect_of
from sinks.database.tables import metadata
from sinks.doctor.item import Item
from sinks.doctor.scope import LastRun, Scope
from sinks.table.target import ELEMENT_COLUMNS, ORIGIN_COLUMNS, Description, without_key
from sinks.text.quoting import quote
from sinks.text.unique_key import unique_statement
from sinks.writers import writer_of
from transforms.route.table_name import TableName

_CHECK = "indexes"
_REBUILD = "run REINDEX INDEX CONCURRENTLY {}, or drop it and create it again"


def ours(
    table: sa.Table, indexes: Mapping[str, bool], dialect: sa.Dialect | None = None
) -> Iterator[Item]:
    """The verdicts on the indexes of one of our tables.

    Args:
        table: The table as it should be.
        indexes: By name, whether each index that is there is complete.
        dialect: In whose SQL to say what creates an index.
    """
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        if str(index.name) not in indexes:
            statement = " ".join(str(CreateIndex(index).compile(dialect=dialect)).split())
            what = f"index {index.name} is missing"
            yield Item(_CHECK, "error", what, table.name, f"run: {statement}")
    yield from invalid(table.name, indexes)


def invalid(table: str, indexes: Mapping[str, bool]) -> Iterator[Item]:
    """The verdicts on indexes whose build has failed: they are kept up, and never used."""
    for index, complete in sorted(indexes.items()):
        if not complete:
            what = f"index {index} is invalid: its build has failed"
            yield Item(_CHECK, "error", what, table, _REBUILD.format(quote(index)))


def key(
    label: str,
    described: Description | None,
    last: LastRun | None,
    dialect: sa.Dialect | None = None,
) -> Item | None:
    """The verdict on a target's unique key; None if it has it.

    Args:
        label: The table.
        described: As the database describes it; None if there is no such table.
        last: The last run that has it as its own table, which names the key; None if no run does,
            and any unique key will do.
        dialect: In whose SQL to say what creates the key.
    """
    if described is None:
        what = "the table is gone"
        todo = "the next ingest into it creates it again, or fails with --create never"
        return Item(_CHECK, "warning", what, label, todo)
    wanted = str(last.options.get("key") or "") if last is not None else ""
    names = tuple(wanted.split(",")) if wanted else ()
    keys = [frozenset(names)] if names else [frozenset(ORIGIN_COLUMNS), frozenset(ELEMENT_COLUMNS)]
    if last is None:
        keys = list(described.unique)
    if any(one in described.unique for one in keys):
        return None
    if described.view:
        what, _, todo = without_key(described).partition("; ")
        return Item(_CHECK, "error", f"it {what}", label, todo)
    columns = ", ".join(names or ("its key",))
    what = f"there is no unique index on exactly the key ({columns})"
    todo = f"run: {unique_statement(TableName.parse(label), names, dialect)}"
    return Item(_CHECK, "error", what, label, todo)


def check(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """Look at our tables and at the target tables."""
    dialect = dialect_of(connection)
    inspector = sa.inspect(connection)
    present = set(inspector.get_table_names())
    items: list[Item] = []
    for table in metadata.sorted_tables:
        if table.name not in present:
            todo = "run `sluice migrate --sink URL`"
            items.append(Item(_CHECK, "error", "the table is missing", table.name, todo))
            continue
        items += ours(table, dialect.indexes(connection, table.name), connection.dialect)
        if not inspector.get_pk_constraint(table.name)["constrained_columns"]:
            columns = ", ".join(map(quote, table.primary_key.columns.keys()))
            todo = f"run: ALTER TABLE {table.name} ADD PRIMARY KEY ({columns})"
            items.append(Item(_CHECK, "error", "the primary key is missing", table.name, todo))
    own = {run.target: run for run in reversed(scope.runs)}
    for label in scope.tables:
        name = TableName.parse(label)
        described = writer_of(connection).describe(connection, name)
        items += filter(None, [key(label, described, own.get(label), connection.dialect)])
        if described is not None and name.schema is None:
            items += invalid(label, dialect.indexes(connection, name.name))
    yield from items
    if not items:
        tables = len(metadata.tables) + len(scope.tables)
        yield Item(_CHECK, "ok", f"the indexes of {tables} tables are there and complete")
