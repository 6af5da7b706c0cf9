"""SQLAlchemy's dialect of DuckDB, whose SQL is Postgres' with a few words less."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import (
    PGCompiler,
    PGDDLCompiler,
    PGDialect,
    PGIdentifierPreparer,
    PGTypeCompiler,
)
from sqlalchemy.engine import reflection

from sinks.database.backends.duckdb.connection import Connection, connect

_HERE = "database_name = current_database() AND schema_name = coalesce(?, current_schema())"

_REFLECTED: tuple[tuple[str, Any], ...] = (
    ("TIMESTAMP WITH TIME ZONE", sa.DateTime(timezone=True)),
    ("TIMESTAMP", sa.DateTime()),
    ("TIME", sa.Time()),
    ("DATE", sa.Date()),
    ("DECIMAL", sa.Numeric()),
    ("VARCHAR", sa.Text()),
    ("BLOB", sa.LargeBinary()),
    ("BOOLEAN", sa.Boolean()),
    ("DOUBLE", sa.Double()),
    ("FLOAT", sa.Float()),
    ("BIGINT", sa.BigInteger()),
    ("INTEGER", sa.Integer()),
    ("SMALLINT", sa.SmallInteger()),
    ("UUID", sa.Uuid()),
    ("JSON", sa.JSON()),
)


class _Compiler(PGCompiler):
    def for_update_clause(self, select: Any, **kw: Any) -> str:
        """Nothing: the transactions of a process that write take turns."""
        return ""


    def visit_length_func(self, function: Any, **kw: Any) -> str:
        """Of bytes by another name."""
        (argument,) = function.clauses
        name = "octet_length" if isinstance(argument.type, sa.LargeBinary) else "length"
        return f"{name}({self.process(argument, **kw)})"


class _DdlCompiler(PGDDLCompiler):
    def get_column_specification(self, column: sa.Column[Any], **kw: Any) -> str:
        """With a sequence where the database gives the numbers."""
        if column is not getattr(column.table, "_autoincrement_column", None):
            return super().get_column_specification(column, **kw)
        name = self.preparer.format_column(column)
        kind = self.dialect.type_compiler_instance.process(column.type)
        sequence = _sequence_of(column).replace("'", "''")
        return f"{name} {kind} DEFAULT nextval('{sequence}') NOT NULL"

    def visit_create_table(self, create: Any, **kw: Any) -> str:
        """With its sequence before it."""
        text: str = super().visit_create_table(create, **kw)
        numbered = create.element._autoincrement_column
        if numbered is None:
            return text
        return f"CREATE SEQUENCE IF NOT EXISTS {_sequence_of(numbered)};{text}"

    def post_create_table(self, table: sa.Table) -> str:
        """Nothing: there are no storage parameters."""
        return ""

    def visit_create_index(self, create: Any, **kw: Any) -> str:
        """An index of all rows: there are none of some rows."""
        index = create.element
        unique = "UNIQUE " if index.unique else ""
        absent = "IF NOT EXISTS " if create.if_not_exists else ""
        name = self._prepared_index_name(index, include_schema=False)
        table = self.preparer.format_table(index.table)
        columns = ", ".join(
            self.sql_compiler.process(part, include_table=False, literal_binds=True)
            for part in index.expressions
        )
        return f"CREATE {unique}INDEX {absent}{name} ON {table} ({columns})"


class _TypeCompiler(PGTypeCompiler):
    def visit_BYTEA(self, type_: Any, **kw: Any) -> str:  # noqa: N802 - SQLAlchemy's name
        """The name that DuckDB shows."""
        return "BLOB"


class _Preparer(PGIdentifierPreparer):
    def _requires_quotes(self, value: str) -> bool:
        """Always: its reserved words are not those of Postgres."""
        return True


class _Bytes(sa.LargeBinary):
    """Bytes, which the driver takes and returns as they are."""

    def bind_processor(self, dialect: sa.Dialect) -> None:
        """None."""
        return

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> None:
        """None."""
        return


def _sequence_of(column: sa.Column[Any]) -> str:
    """The name of a column's sequence, quoted."""
    name = f"{column.table.name}_{column.name}_seq".replace('"', '""')
    return f'"{name}"'


class DuckdbSql(PGDialect):
    """DuckDB 1.4 or later, by its own module."""

    name = "duckdb"
    driver = "duckdb"
    default_paramstyle = "qmark"
    statement_compiler = _Compiler
    ddl_compiler = _DdlCompiler
    type_compiler_cls = _TypeCompiler
    preparer = _Preparer
    colspecs = {**PGDialect.colspecs, sa.LargeBinary: _Bytes}  # noqa: RUF012 - as SQLAlchemy has it
    supports_statement_cache = True
    supports_native_uuid = True
    supports_comments = False
    supports_sane_rowcount_returning = False
    use_insertmanyvalues = True
    max_identifier_length = 10_000
    returns_native_bytes = True

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """DuckDB's module, whose errors are raised."""
        import duckdb

        return duckdb

    def create_connect_args(self, url: sa.URL) -> tuple[list[Any], dict[str, Any]]:
        """The file, and settings of DuckDB from the URL."""
        return [url.database], dict(url.query)

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """Connect."""
        return connect(*arguments, **options)

    def on_connect(self) -> None:
        """Nothing: ``connect`` has set it up."""
        return

    def initialize(self, connection: sa.Connection) -> None:
        """Look for the version and the default schema."""
        cursor = connection.connection.cursor()
        cursor.execute("SELECT version(), current_schema()")
        version, self.default_schema_name = cursor.fetchone()
        parts = version.lstrip("v").partition("-")[0].split(".")
        self.server_version_info = tuple(int(part) for part in parts if part.isdigit())

    def get_isolation_level_values(self, _connection: Any) -> list[str]:
        """Snapshots, or no transactions."""
        return ["AUTOCOMMIT", "SNAPSHOT"]

    def get_default_isolation_level(self, _connection: Any) -> str:
        """Snapshots."""
        return "SNAPSHOT"

    def set_isolation_level(self, _connection: Any, _level: str) -> None:
        """Nothing: transactions are begun one by one."""

    def reset_isolation_level(self, _connection: Any) -> None:
        """Nothing."""

    def do_begin(self, _connection: Any) -> None:
        """Nothing: whether a transaction writes is known at the event only."""

    def do_savepoint(self, connection: sa.Connection, name: str) -> None:
        """By the connection."""
        _own(connection).savepoint(name)

    def do_rollback_to_savepoint(self, connection: sa.Connection, name: str) -> None:
        """By the connection."""
        _own(connection).roll_back_to(name)

    def do_release_savepoint(self, connection: sa.Connection, name: str) -> None:
        """By the connection."""
        _own(connection).release(name)

    def do_ping(self, connection: Any) -> bool:
        """A connection within the process is there."""
        return True

    def is_disconnect(self, error: Any, connection: Any, cursor: Any) -> bool:
        """Whether the database is closed, or has to be opened again."""
        text = str(error)
        return "Connection already closed" in text or "database has been invalidated" in text

    def has_table(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> bool:
        """Ask for tables and views; capitals are not told apart."""
        query = (
            f"SELECT 1 FROM duckdb_tables() WHERE {_HERE} AND lower(table_name) = lower(?) UNION ALL "
            f"SELECT 1 FROM duckdb_views() WHERE {_HERE} AND lower(view_name) = lower(?)"
        )
        return bool(_all(connection, query, schema, table_name, schema, table_name))

    def has_schema(self, connection: sa.Connection, schema_name: str, **kw: Any) -> bool:
        """Ask for it."""
        query = (
            "SELECT 1 FROM duckdb_schemas() WHERE database_name = current_database() "
            "AND lower(schema_name) = lower(?)"
        )
        return bool(_all(connection, query, schema_name))

    def has_index(
        self,
        connection: sa.Connection,
        table_name: str,
        index_name: str,
        schema: str | None = None,
        **kw: Any,
    ) -> bool:
        """Ask for it."""
        return any(index["name"] == index_name for index in self.get_indexes(connection, table_name, schema))

    def get_schema_names(self, connection: sa.Connection, **kw: Any) -> list[str]:
        """All schemas of the file."""
        query = "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database()"
        return [name for (name,) in _all(connection, query)]

    def get_table_names(
        self, connection: sa.Connection, schema: str | None = None, **kw: Any
    ) -> list[str]:
        """The tables of a schema."""
        query = f"SELECT table_name FROM duckdb_tables() WHERE {_HERE} ORDER BY 1"
        return [name for (name,) in _all(connection, query, schema)]

    def get_view_names(
        self, connection: sa.Connection, schema: str | None = None, **kw: Any
    ) -> list[str]:
        """The views of a schema that users have made."""
        query = f"SELECT view_name FROM duckdb_views() WHERE {_HERE} AND NOT internal ORDER BY 1"
        return [name for (name,) in _all(connection, query, schema)]

    def get_columns(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        """The columns of a table, with SQLAlchemy's types as far as it has them."""
        query = (
            "SELECT column_name, data_type, is_nullable, column_default, is_generated "
            f"FROM duckdb_columns() WHERE {_HERE} AND lower(table_name) = lower(?) "
            "ORDER BY column_index"
        )
        columns = []
        for name, kind, nullable, default, generated in _all(connection, query, schema, table_name):
            column = {"name": name, "type": _type_of(kind), "nullable": nullable, "default": default}
            if generated:
                column["computed"] = {"sqltext": default}
            columns.append(column)
        if not columns:
            raise sa.exc.NoSuchTableError(table_name)
        return columns

    def get_pk_constraint(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> Any:
        """The primary key."""
        for name, columns, *_ in _constraints(connection, "PRIMARY KEY", table_name, schema):
            return {"name": name, "constrained_columns": columns}
        return reflection.ReflectionDefaults.pk_constraint()

    def get_unique_constraints(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        """The other unique constraints."""
        rules = _constraints(connection, "UNIQUE", table_name, schema)
        return [{"name": name, "column_names": columns} for name, columns, *_ in rules]

    def get_foreign_keys(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        """What it refers to, which is in its own schema."""
        return [
            {
                "name": name,
                "constrained_columns": columns,
                "referred_schema": schema,
                "referred_table": other,
                "referred_columns": others,
                "options": {},
            }
            for name, columns, other, others in _constraints(
                connection, "FOREIGN KEY", table_name, schema
            )
        ]

    def get_check_constraints(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        """Its conditions."""
        query = (
            "SELECT constraint_name, expression FROM duckdb_constraints() WHERE "
            f"{_HERE} AND lower(table_name) = lower(?) AND constraint_type = 'CHECK'"
        )
        rows = _all(connection, query, schema, table_name)
        return [{"name": name, "sqltext": text} for name, text in rows]

    def get_indexes(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        """The indexes that were made by themselves."""
        query = (
            "SELECT index_name, is_unique, expressions FROM duckdb_indexes() "
            f"WHERE {_HERE} AND lower(table_name) = lower(?) ORDER BY 1"
        )
        return [
            {
                "name": name,
                "unique": unique,
                "column_names": columns_of(expressions),
                "dialect_options": {},
            }
            for name, unique, expressions in _all(connection, query, schema, table_name)
        ]

    def get_table_comment(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> Any:
        """None."""
        return reflection.ReflectionDefaults.table_comment()

    def get_table_options(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> Any:
        """None."""
        return reflection.ReflectionDefaults.table_options()

    def get_multi_table_options(self, connection: sa.Connection, **kw: Any) -> Any:
        """Table by table."""
        return self._default_multi_reflect(self.get_table_options, connection, **kw)

    def get_multi_columns(self, connection: sa.Connection, **kw: Any) -> Any:
        """Table by table."""
        return self._default_multi_reflect(self.get_columns, connection, **kw)

    def get_multi_pk_constraint(self, connection: sa.Connection, **kw: Any) -> Any:
        """Table by table."""
        return self._default_multi_reflect(self.get_pk_constraint, connection, **kw)

    def get_multi_foreign_keys(self, connection: sa.Connection, **kw: Any) -> Any:
        """Table by table."""
        return self._default_multi_reflect(self.get_foreign_keys, connection, **kw)

    def get_multi_indexes(self, connection: sa.Connection, **kw: Any) -> Any:
        """Table by table."""
        return self._default_multi_reflect(self.get_indexes, connection, **kw)

    def get_multi_unique_constraints(self, connection: sa.Connection, **kw: Any) -> Any:
        """Table by table."""
        return self._default_multi_reflect(self.get_unique_constraints, connection, **kw)

    def get_multi_check_constraints(self, connection: sa.Connection, **kw: Any) -> Any:
        """Table by table."""
        return self._default_multi_reflect(self.get_check_constraints, connection, **kw)

    def get_multi_table_comment(self, connection: sa.Connection, **kw: Any) -> Any:
        """Table by table."""
        return self._default_multi_reflect(self.get_table_comment, connection, **kw)


def register() -> None:
    """Let ``duckdb:///`` mean this dialect."""
    registry.register("duckdb", __name__, DuckdbSql.__name__)


def columns_of(expressions: str) -> list[str | None]:
    """The columns of an index as DuckDB shows them; None for an expression.

    >>> columns_of("[a, '\\"B c\\"', '(a + 1)']")
    ['a', 'B c', None]
    """
    columns: list[str | None] = []
    for part in expressions.strip("[]").split(", "):
        text = part.strip("'")
        if text.startswith('"') and text.endswith('"'):
            columns.append(text[1:-1].replace('""', '"'))
        else:
            columns.append(text if text.isidentifier() else None)
    return columns


def _type_of(declared: str) -> Any:
    if declared.endswith("]"):
        return sa.types.NullType()
    return next((kind for name, kind in _REFLECTED if declared.startswith(name)), sa.types.NullType())


def _constraints(
    connection: sa.Connection, kind: str, table: str, schema: str | None
) -> Iterable[tuple[Any, ...]]:
    query = (
        "SELECT constraint_name, constraint_column_names, referenced_table, referenced_column_names "
        f"FROM duckdb_constraints() WHERE {_HERE} AND lower(table_name) = lower(?) "
        "AND constraint_type = ? ORDER BY constraint_index"
    )
    return _all(connection, query, schema, table, kind)


def _all(connection: sa.Connection, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    cursor = connection.connection.cursor()
    return list(cursor.execute(query, parameters).fetchall())


def _own(connection: sa.Connection) -> Connection:
    own: Any = connection.connection.dbapi_connection
    assert isinstance(own, Connection)  # noqa: S101 - ``connect`` makes no other
    return own
