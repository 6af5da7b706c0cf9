"""Which version of the tables named ``ingest_`` a database has."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine.reflection import ObjectKind

from sinks.database.database import Database
from sinks.database.engine import exists, transaction
from sinks.database.migrations.present import Present
from sinks.database.tables import VERSION, metadata, versions
from transforms.errors import ConfigError

MIGRATE = "`sluice migrate --sink URL`"
"""The command that brings tables up to date, for messages."""


class OtherVersion(ConfigError):
    """The tables are not of the version that this program reads; the message says what to do."""


def version_of(connection: sa.Connection) -> int | None:
    """The version of the tables; None if there are none, or not all of the latest.

    Tables without ``ingest_schema`` have version 1 or 0, whose programs wrote none.

    Raises:
        ConfigError: A table lacks a column that every version has.
    """
    if sa.inspect(connection).has_table(versions.name):
        version: int | None = connection.scalar(sa.select(sa.func.max(versions.c.version)))
        if version is not None:
            return version
    return _recognized(connection)


def check(connection: sa.Connection) -> None:
    """Refuse tables of another version, before they are read. No tables pass.

    Raises:
        OtherVersion: They have an earlier or a later version.
    """
    _refuse_other(version_of(connection))


def check_present(connection: sa.Connection, database: Database) -> None:
    """Refuse tables of another version, or none, before they are read.

    Raises:
        ConfigError: ``database`` has none, or they have an earlier or a later version.
    """
    version = version_of(connection)
    _refuse_none(version, database)
    _refuse_other(version)


def require(database: Database, *, migrated: bool = True) -> None:
    """Refuse a database that has no tables, or tables of another version, before it is asked.

    A database file that does not exist is not created.

    Args:
        database: Where they should be.
        migrated: Whether tables of an earlier version are refused too.

    Raises:
        ConfigError: It has none, or they have an earlier or a later version; or there is no such
            database, or it refuses.
        SinkUnavailable: The database cannot be reached.
    """
    version = None
    if exists(database):
        doing = "read the version of its tables"
        with transaction(database, doing, write=False, refused=ConfigError) as connection:
            version = version_of(connection)
    _refuse_none(version, database)
    if migrated:
        _refuse_other(version)


def _refuse_none(version: int | None, database: Database) -> None:
    if version is None:
        raise ConfigError(
            f"{database} has no ingest_ tables: nothing was ingested into it; check --sink"
        )


def _refuse_other(version: int | None) -> None:
    if version is not None and version < VERSION:
        raise OtherVersion(
            f"the ingest_ tables have version {version}, and this program reads version {VERSION}: "
            f"run {MIGRATE}, or an ingest"
        )
    refuse_newer(version)


def refuse_newer(version: int | None) -> None:
    """Refuse tables that a later program has migrated.

    Raises:
        OtherVersion: They are.
    """
    if version is not None and version > VERSION:
        raise OtherVersion(
            f"the ingest_ tables have version {version}, and this program knows up to version "
            f"{VERSION}: a newer Sluice has migrated them; install that version or a later one"
        )


def complete(connection: sa.Connection) -> bool:
    """Whether every table of the latest version is there, in a database of that version."""
    present = set(sa.inspect(connection).get_table_names())  # of the default schema: one question
    return metadata.tables.keys() <= present


def create(connection: sa.Connection) -> None:
    """Create the tables that are missing, of the latest version.

    Args:
        connection: In a transaction that keeps others from doing the same, to a database for which
            ``version_of`` is None or the latest.
    """
    present = _columns(connection)
    for name, statements in _statements(connection.dialect).items():
        for statement in statements if name not in present else ():
            connection.exec_driver_sql(statement)
    if connection.scalar(sa.select(sa.func.count()).select_from(versions)) == 0:
        row = {"version": VERSION, "migrated_at": datetime.now(UTC)}
        connection.execute(sa.insert(versions), row)


_compiled: dict[object, dict[str, list[str]]] = {}


def _statements(dialect: sa.Dialect) -> dict[str, list[str]]:
    """What creates each table and its indexes, by its name; a table stands after those it refers to.

    They are compiled once in a process, which takes longer than to carry them out.
    """
    kind = (type(dialect), dialect.name, dialect.server_version_info)
    if kind not in _compiled:
        _compiled[kind] = {
            table.name: [
                str(sa.schema.CreateTable(table).compile(dialect=dialect)),
                *(
                    str(sa.schema.CreateIndex(index).compile(dialect=dialect))
                    for index in sorted(table.indexes, key=lambda index: str(index.name))
                ),
            ]
            for table in metadata.sorted_tables
        }
    return _compiled[kind]


def _recognized(connection: sa.Connection) -> int | None:
    """The version that the columns tell."""
    present = _columns(connection)
    if not present:
        return None
    from sinks.database.migrations import to_1, version_1

    if not any(_lacking(present, metadata).values()):
        return None  # nobody wrote the version after creating them
    lacking = _lacking(present, version_1.metadata)
    for name, columns in lacking.items():
        strange = [column for column in columns if column not in to_1.ADDED.get(name, ())]
        if strange:
            raise ConfigError(
                f"table {name} has no column {', '.join(strange)}: another program, or an unknown "
                "version of this one, created it; rename the ingest_ tables, or use another database"
            )
    complete = len(lacking) == len(version_1.metadata.tables) and not any(lacking.values())
    indexes = Present(connection).indexes(version_1.queue.name)
    return 1 if complete and indexes.get(to_1.INDEX, False) else 0


def _columns(connection: sa.Connection) -> dict[str, set[str]]:
    """The columns of those of our tables that are there, whatever their version, by table."""
    columns = sa.inspect(connection).get_multi_columns(
        kind=ObjectKind.ANY, filter_names=list(metadata.tables)
    )
    return {name: {each["name"] for each in these} for (_, name), these in columns.items()}


def _lacking(present: dict[str, set[str]], tables: sa.MetaData) -> dict[str, list[str]]:
    """The columns that each table which is there lacks, by its name."""
    return {
        table.name: [column.name for column in table.c if column.name not in present[table.name]]
        for table in tables.sorted_tables
        if table.name in present
    }
