"""Whether the role that ingests has the rights that an ingest needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa

from sinks.database import tables
from sinks.database.catalogue.figures import Need
from sinks.database.dialects import dialect_of
from sinks.doctor.item import Item
from sinks.doctor.retention import retention_of
from sinks.doctor.scope import LastRun, Scope
from sinks.jobs.retention import Kept
from sinks.table.target import Description
from sinks.text.quoting import quote, quoted
from sinks.writers import writer_of
from transforms.envelope.message_key import key_fields
from transforms.route.table_name import TableName

_READ, _ADD, _KEEP = ("SELECT",), ("SELECT", "INSERT"), ("SELECT", "INSERT", "UPDATE")
_ALL = (*_KEEP, "DELETE")

OF_TABLES = {
    tables.versions: _READ,
    tables.pipelines: _KEEP,
    tables.progress: _ALL,
    tables.counts: _ALL,
    tables.forgotten: _KEEP,
    tables.targets: _ADD,
    tables.jobs: _ALL,
    tables.queue: _ALL,
    tables.claims: ("SELECT", "INSERT", "DELETE"),
    tables.leases: _KEEP,
    tables.audit: _ADD,
    tables.runs: _ALL,
    tables.workers: _ALL,
    tables.control: _KEEP,
    tables.dead: ("SELECT", "INSERT", "DELETE"),
    tables.fingerprints: _ADD,
    tables.edits: ("SELECT", "DELETE"),  # which go with their jobs
}
"""The rights that every ingest needs on the tables named ``ingest_``."""

IF_USED = {
    tables.outbox: _ADD,
    tables.positions: _ALL,
    tables.expired: _KEEP,
    tables.submissions: ("SELECT", "INSERT", "DELETE"),
    tables.intents: _ALL,
    tables.objects: _ALL,
    tables.manifests: _KEEP,
}
"""Those on tables that only some pipelines use, once there is a row."""

NONE = {tables.orders}
"""Tables that no ingest touches: those who repair dead letters do."""


def needs_of(table: sa.Table, rights: Sequence[str]) -> list[Need]:
    """The rights on one of our tables, for each column where a right may be granted so."""
    name = quote(table.name)
    needs = [Need(r, name, c.name) for r in rights if r != "DELETE" for c in table.columns]
    needs += [Need("DELETE", name)] if "DELETE" in rights else []
    numbered = table.autoincrement_column
    if numbered is not None and "INSERT" in rights:
        needs.append(Need("USAGE", name, numbered.name))
    return needs


def needs_of_target(
    table: str, described: Description, last: LastRun | None, *, deletes: bool = False
) -> list[Need]:
    """The rights on a target table.

    Args:
        table: Its name, quoted as in SQL.
        described: Its columns.
        last: The last run that has it as its own table; None if no run says how it is written.
        deletes: Whether a run deletes rows of it.
    """
    options = {} if last is None else last.options
    names = [column.name for column in described.columns if not column.generated]
    key = [name for name in key_fields(str(options.get("key") or ""))[0] if name in names]
    needs = [Need("INSERT", table, name) for name in names]
    needs += [Need("SELECT", table, name) for name in key]
    if last is not None and str(options.get("on_conflict", "ignore")) != "ignore":
        needs += [Need("UPDATE", table, name) for name in names if name not in key]
    return [*needs, Need("DELETE", table)] if deletes else needs


def needs_of_order(last: Iterable[LastRun]) -> list[Need]:
    """The rights on our tables that runs with deletes need from their first commit on."""
    needs: list[Need] = []
    for run in last:
        if mode_of(run) in ("delete", "mark"):
            needs += needs_of(tables.positions, IF_USED[tables.positions])
        if (rules := retention_of(run)) is not None and rules.deletes is not None:
            needs += needs_of(tables.expired, IF_USED[tables.expired])
    return needs


def mode_of(run: LastRun) -> str:
    """What a run does with deletes, without the column of a mark."""
    return str(run.options.get("on_delete") or "").partition(":")[0]


def verdicts(
    lacking: Sequence[Need], role: str, database: str = "…", schema: str = "…"
) -> Iterator[Item]:
    """An item for each table on which rights are missing, with the statement that grants them.

    Args:
        lacking: The rights.
        role: Who lacks them; empty if its name is not known.
        database: The name of the database.
        schema: The name of its default schema.
    """
    to = f"TO {quote(role)}" if role else "TO …"
    by_table: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for need in lacking:
        by_table[need.table].setdefault(need.right, []).append(need.column)
    of_database = by_table.pop("", {})
    if "TEMPORARY" in of_database:
        what = f"role {role} lacks TEMPORARY: rows whose key is there already are staged in such tables"
        todo = f"run: GRANT TEMPORARY ON DATABASE {quote(database)} {to}"
        yield Item("rights", "error", what, "database", todo)
    if "CREATE" in of_database:
        what = f"role {role} lacks CREATE: only a missing table, or a migration, takes it"
        todo = f"if that is to be its task, run: GRANT CREATE ON SCHEMA {quote(schema)} {to}"
        yield Item("rights", "warning", what, "database", todo)
    for table, rights in by_table.items():
        numbered = rights.pop("USAGE", [])
        if rights:
            granted = ", ".join(rights)
            what = f"role {role} lacks {granted}"
            figures = {"role": role, "columns": rights}
            yield Item(
                "rights", "error", what, table, f"run: GRANT {granted} ON {table} {to}", figures
            )
        for column in numbered:
            sequence = quote("_".join((table.strip('"'), column, "seq")))  # as PostgreSQL names it
            what = f"role {role} lacks USAGE of the sequence of {column}"
            todo = f"run: GRANT USAGE ON SEQUENCE {sequence} {to}"
            yield Item("rights", "error", what, table, todo)


def check(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """Look at our tables, the target tables, the database and its default schema."""
    dialect = dialect_of(connection)
    needs = [Need("TEMPORARY"), Need("CREATE")]
    for table, rights in OF_TABLES.items():
        needs += needs_of(table, rights)
    for table, rights in IF_USED.items():
        # Without SELECT nobody can tell whether it has a row; then nobody has used it here.
        readable = not dialect.lacking(connection, [Need("SELECT", quote(table.name))], "")
        one = sa.select(sa.literal(1)).select_from(table).limit(1)
        if readable and connection.execute(one).first():
            needs += needs_of(table, rights)
    needs += needs_of_order(scope.runs)
    deleting = {
        label
        for run in scope.runs
        if mode_of(run) == "delete"
        for label in Kept(run.target, run.pipeline).tables(connection)
    }
    own = {run.target: run for run in reversed(scope.runs)}
    for label in scope.tables:
        name = TableName.parse(label)
        described = writer_of(connection).describe(connection, name)
        if described is not None:
            needs += needs_of_target(
                quoted(name), described, own.get(label), deletes=label in deleting
            )
    needs = list(dict.fromkeys(needs))
    lacking = dialect.lacking(connection, needs, scope.question.role)
    if lacking is None:
        yield Item("rights", "skipped", f"{dialect.server(connection).name} does not say")
        return
    url = connection.engine.url
    role, schema = scope.question.role or url.username or "", connection.dialect.default_schema_name
    yield from verdicts(lacking, role, url.database or "…", schema or "…")
    if not lacking:
        yield Item("rights", "ok", "no right is missing", figures={"asked": len(needs)})
