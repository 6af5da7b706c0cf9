"""Names that no target can have: the database would cut them, or the tables beside it have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import metadata
from sinks.table.config import POSITION, SqlConfig
from transforms.errors import ConfigError
from transforms.route.table_name import TableName

_SHOWN = 60  # characters of a name in a message


def check_names(config: SqlConfig, columns: Iterable[str], longest: int, unit: str) -> None:
    """Refuse names that are too long for the database.

    Args:
        config: Names a table, its key and other columns.
        columns: Names of the columns of a table that is to be created.
        longest: The length of the longest name.
        unit: What it is counted in: ``bytes`` or ``characters``.

    Raises:
        ConfigError: A name is longer.
    """
    for what, name in _names(config, columns):
        length = len(name.encode("utf-8", "surrogatepass")) if unit == "bytes" else len(name)
        if length > longest:
            shown = name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…"
            raise ConfigError(
                f"the name of {what} {shown} has {length:,} {unit}; this database takes names of at "
                f"most {longest}"
            )


def check_foreign(connection: sa.Connection, table: TableName) -> None:
    """Refuse a target that is one of Sluice's own tables, in the schema where these are kept.

    Raises:
        ConfigError: Its records would be entries of the ledger, jobs, or whatever else is kept there.
    """
    name, schema = table.name, table.schema
    default = connection.dialect.default_schema_name
    if dialect_of(connection).folds_names(connection):
        name = name.lower()
        schema, default = schema and schema.lower(), default and default.lower()
    if name in metadata.tables and schema in (None, default):
        raise ConfigError(
            f"table {table} is one of the tables that Sluice keeps beside yours, and no records go "
            "there; name another table"
        )


def _names(config: SqlConfig, columns: Iterable[str]) -> Iterator[tuple[str, str]]:
    table = config.table_name
    if table.schema is not None:
        yield "schema", table.schema
    yield "table", table.name
    for name in config.key:
        yield "key column", name
    if config.on_conflict.field not in ("", POSITION):
        yield "column", config.on_conflict.field
    for name in columns:
        yield "column", name
