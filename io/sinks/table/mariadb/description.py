"""What MariaDB says of a table, and the statements that create one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sinks.database.catalogue.mariadb import is_mariadb
from sinks.table.schema import LogicalType, NewColumn
from sinks.table.target import Column, Description, Interplay
from transforms.errors import ConfigError
from transforms.route.table_name import TableName

_TYPES: dict[LogicalType, str] = {
    "text": "LONGTEXT",
    "uuid": "CHAR(36) CHARACTER SET ascii COLLATE ascii_general_ci",
    "timestamp": "DATETIME(6)",
    "date": "DATE",
    "time": "TIME(6)",
    "integer": "BIGINT",
    "numeric": "DECIMAL(65,30)",
    "boolean": "BOOLEAN",
    "json": "JSON",
    "bytes": "LONGBLOB",
}
"""A number has 35 digits before the point and 30 behind it, the most that there are; others are refused."""

_KEY_BYTES = 3_072
"""How long the key of an index may be."""

_LONGEST_KEY_TEXT = 255
"""Characters of a text in a key, if there is room for them."""

_COLLATIONS = {True: "utf8mb4_nopad_bin", False: "utf8mb4_0900_bin"}
"""By whether it is MariaDB: keys that differ, be it by a blank at the end, are different rows, as elsewhere."""

_COLUMNS = sa.text(
    "SELECT column_name, data_type, column_type, is_nullable, column_default, extra "
    "FROM information_schema.columns "
    "WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name ORDER BY ordinal_position"
)
_INDEXES = sa.text(
    "SELECT index_name, column_name, sub_part FROM information_schema.statistics "
    "WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name AND non_unique = 0 "
    "ORDER BY index_name, seq_in_index"
)
_CHECKS = sa.text(
    "SELECT check_clause FROM information_schema.check_constraints "
    "WHERE constraint_schema = COALESCE(:schema, DATABASE()) AND table_name = :name"
)
CHECKS_OF_MYSQL = sa.text(
    "SELECT c.check_clause FROM information_schema.check_constraints c "
    "JOIN information_schema.table_constraints t ON t.constraint_schema = c.constraint_schema "
    "AND t.constraint_name = c.constraint_name AND t.constraint_type = 'CHECK' "
    "WHERE t.table_schema = COALESCE(:schema, DATABASE()) AND t.table_name = :name"
)
"""It names no table beside a CHECK."""

_TRIGGERS = sa.text(
    "SELECT event_manipulation, action_timing FROM information_schema.triggers "
    "WHERE event_object_schema = COALESCE(:schema, DATABASE()) AND event_object_table = :name"
)
_KIND = sa.text(
    "SELECT table_type FROM information_schema.tables "
    "WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name"
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides, besides a row's own key, what becomes of the row.

    Attributes:
        unique: The columns of each unique index.
        numbered: The column that the database numbers; empty without one.
        watched: Whether a trigger sees updates, or rows before it is known whether they are new.
        checked: Whether a CHECK looks at rows, other than that a column has JSON.
    """

    unique: tuple[frozenset[str], ...]
    numbered: str
    watched: bool
    checked: bool


def quote(name: str) -> str:
    """A quoted identifier."""
    return "`" + name.replace("`", "``") + "`"


def quoted(table: TableName) -> str:
    """A table's quoted name, with its schema if it has one."""
    return (
        quote(table.name) if table.schema is None else f"{quote(table.schema)}.{quote(table.name)}"
    )


def describe(connection: sa.Connection, table: TableName) -> Description | None:
    """The columns and unique sets of ``table``; None if there is no such table."""
    place = {"schema": table.schema, "name": table.name}
    kind = connection.scalar(_KIND, place)
    if kind is None:
        return None
    as_json = _json_columns(connection, place)
    columns = [
        _column(row, as_json=row[0] in as_json) for row in connection.execute(_COLUMNS, place)
    ]
    rules = rules_of(connection, table)
    return Description(
        *(tuple(columns), rules.unique),
        interplay=Interplay(entangled=rules.watched),
        view=kind == "VIEW",
    )


def rules_of(connection: sa.Connection, table: TableName) -> Rules:
    """The rules of ``table``."""
    place = {"schema": table.schema, "name": table.name}
    sets: dict[str, list[str]] = {}
    partial: set[str] = set()
    for index, column, length in connection.execute(_INDEXES, place):
        if column is None or length is not None:  # an expression, or a part of a text
            partial.add(index)
        sets.setdefault(index, []).append(str(column))
    numbered = [
        row[0] for row in connection.execute(_COLUMNS, place) if "auto_increment" in row[5].lower()
    ]
    return Rules(
        # What is unique by a part of a column settles no conflict by key, and yet refuses rows.
        tuple(
            frozenset((f"a part, by {index}",) if index in partial else columns)
            for index, columns in sets.items()
        ),
        numbered[0] if numbered else "",
        watched=any(
            event == "UPDATE" or (event, timing) == ("INSERT", "BEFORE")
            for event, timing in connection.execute(_TRIGGERS, place)
        ),
        checked=any(not _is_of_json(clause) for clause in _checks(connection, place)),
    )


def create_statement(
    table: TableName, columns: Sequence[NewColumn], key: Sequence[str], *, is_mariadb: bool
) -> str:
    """The statement that creates ``table``, unless it exists.

    Raises:
        ConfigError: The key has a column of a type that no index takes, or too many texts.
    """
    types = dict(
        _key_types(
            table, [column for column in columns if column.name in key], _COLLATIONS[is_mariadb]
        )
    )
    lines = [
        f"{quote(column.name)} {types.get(column.name, _TYPES[column.type])}"
        + (" NULL" if column.nullable and column.name not in key else " NOT NULL")
        + (f" COMMENT {_comment(column.comment)}" if column.comment else "")
        for column in columns
    ]
    lines.append(f"PRIMARY KEY ({', '.join(map(quote, key))})")
    return (
        f"CREATE TABLE IF NOT EXISTS {quoted(table)} ({', '.join(lines)}) "
        "ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4"
    )


def add_statement(table: TableName, column: NewColumn, *, is_mariadb: bool) -> str:
    """The statement that adds a nullable column; MySQL refuses one that is there."""
    unless = "IF NOT EXISTS " if is_mariadb else ""
    return (
        f"ALTER TABLE {quoted(table)} ADD COLUMN {unless}"
        f"{quote(column.name)} {_TYPES[column.type]} NULL"
    )


def _key_types(
    table: TableName, columns: Sequence[NewColumn], collation: str
) -> list[tuple[str, str]]:
    refused = [column.name for column in columns if column.type in ("json", "bytes")]
    if refused:
        raise ConfigError(
            f"table {table}: MariaDB has no index over {', '.join(refused)}, of the type "
            f"{next(c.type for c in columns if c.name in refused)}; create the table yourself, or take another key"
        )
    texts = [column.name for column in columns if column.type == "text"]
    if not texts:
        return []
    origin = {"ingest_source": 900, "ingest_partition": 1_360}
    if set(texts) <= set(origin):
        return [(name, f"VARBINARY({origin[name]})") for name in texts]
    room = (_KEY_BYTES - 150 * (len(columns) - len(texts))) // (4 * len(texts))
    length = min(_LONGEST_KEY_TEXT, room)
    if length < 1:
        raise ConfigError(f"table {table}: the key has too many columns; create the table yourself")
    return [
        (name, f"VARCHAR({length}) CHARACTER SET utf8mb4 COLLATE {collation}") for name in texts
    ]


def _column(row: Any, *, as_json: bool) -> Column:
    name, data_type, column_type, nullable, default, extra = row
    extra = extra.lower()
    kind = column_type if isinstance(column_type, str) else column_type.decode()
    if data_type.lower() not in ("enum", "set"):
        kind = kind.lower()
    if as_json:
        kind = "json"
    elif kind.startswith("tinyint(1)"):
        kind = "boolean"
    # MariaDB writes the default NULL as a word.
    has_default = default is not None and default != "NULL"
    return Column(
        name,
        kind,
        has_default=has_default or "auto_increment" in extra or "default_generated" in extra,
        generated="virtual generated" in extra or "stored generated" in extra,
        not_null=nullable == "NO",
    )


def _json_columns(connection: sa.Connection, place: dict[str, Any]) -> set[str]:
    """The columns that MariaDB calls LONGTEXT and that were declared JSON: a CHECK says so.

    None in MySQL, which has a type for JSON.
    """
    if not is_mariadb(connection):
        return set()
    prefix, suffix = "json_valid(`", "`)"
    return {
        clause[len(prefix) : -len(suffix)].replace("``", "`")
        for clause in _checks(connection, place)
        if _is_of_json(clause)
    }


def _checks(connection: sa.Connection, place: dict[str, Any]) -> list[str]:
    query = _CHECKS if is_mariadb(connection) else CHECKS_OF_MYSQL
    return [clause for (clause,) in connection.execute(query, place)]


def _is_of_json(clause: str) -> bool:
    return clause.startswith("json_valid(`") and clause.endswith("`)") and clause.count("(") == 1


def _comment(text: str) -> str:
    return "'" + text[:1_000].replace("\\", "\\\\").replace("'", "\\'") + "'"
