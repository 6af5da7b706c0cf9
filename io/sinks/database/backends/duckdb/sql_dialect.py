"""SQLAlchemy's dialect of DuckDB, whose SQL is Postgres' with a few words less."""

# SQLAlchemy's classes for Postgres have few types, and others than its interface.
# mypy: disable-error-code="override,assignment,no-untyped-call,no-any-return"

from __future__ import annotations

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
from sqlalchemy.engine.default import DefaultDialect

from sinks.database.backends.duckdb import reflection
from sinks.database.backends.duckdb.connection import Connection, connect


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
    def visit_BYTEA(self, type_: Any, **kw: Any) -> str:
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


ARROW = "sluice_arrow"
"""The option of a statement whose cursor is to have its rows as an Arrow table, the attribute ``table``."""


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
        ((version, self.default_schema_name),) = cursor.fetchall()
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

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """By the cursor, for an Arrow table if the option says so."""
        arrow = context is not None and context.execution_options.get(ARROW, False)
        cursor.execute(statement, parameters, arrow=arrow)

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
        """Whether there is a table or a view."""
        return reflection.has_table(connection, table_name, schema)

    def has_schema(self, connection: sa.Connection, schema_name: str, **kw: Any) -> bool:
        """Whether there is a schema."""
        return schema_name in reflection.schemas(connection)

    def has_index(
        self,
        connection: sa.Connection,
        table_name: str,
        index_name: str,
        schema: str | None = None,
        **kw: Any,
    ) -> bool:
        """Whether a table has an index."""
        indexes = reflection.indexes(connection, table_name, schema)
        return any(index["name"] == index_name for index in indexes)

    def get_schema_names(self, connection: sa.Connection, **kw: Any) -> list[str]:
        """All schemas of the file."""
        return reflection.schemas(connection)

    def get_table_names(
        self, connection: sa.Connection, schema: str | None = None, **kw: Any
    ) -> list[str]:
        """The tables of a schema."""
        return reflection.tables(connection, schema)

    def get_view_names(
        self, connection: sa.Connection, schema: str | None = None, **kw: Any
    ) -> list[str]:
        """The views of a schema that users have made."""
        return reflection.views(connection, schema)

    def get_columns(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        """The columns of a table."""
        return reflection.columns(connection, table_name, schema)

    def get_pk_constraint(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> Any:
        """The primary key."""
        return reflection.primary_key(connection, table_name, schema)

    def get_unique_constraints(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        """The other unique constraints."""
        return reflection.unique_constraints(connection, table_name, schema)

    def get_foreign_keys(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        """What a table refers to."""
        return reflection.foreign_keys(connection, table_name, schema)

    def get_check_constraints(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        """The conditions of a table."""
        return reflection.checks(connection, table_name, schema)

    def get_indexes(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        """The indexes that are no constraints."""
        return reflection.indexes(connection, table_name, schema)

    def get_table_comment(self, connection: sa.Connection, *_: Any, **kw: Any) -> Any:
        """None."""
        return {"text": None}

    def get_table_options(self, connection: sa.Connection, *_: Any, **kw: Any) -> Any:
        """None."""
        return {}

    # Postgres' read its catalogue for all tables at once; the default goes table by table.
    get_multi_columns = DefaultDialect.get_multi_columns
    get_multi_pk_constraint = DefaultDialect.get_multi_pk_constraint
    get_multi_unique_constraints = DefaultDialect.get_multi_unique_constraints
    get_multi_foreign_keys = DefaultDialect.get_multi_foreign_keys
    get_multi_check_constraints = DefaultDialect.get_multi_check_constraints
    get_multi_indexes = DefaultDialect.get_multi_indexes
    get_multi_table_comment = DefaultDialect.get_multi_table_comment
    get_multi_table_options = DefaultDialect.get_multi_table_options


def register() -> None:
    """Let ``duckdb:///`` mean this dialect."""
    registry.register("duckdb", __name__, DuckdbSql.__name__)


def _own(connection: sa.Connection) -> Connection:
    own: Any = connection.connection.dbapi_connection
    assert isinstance(own, Connection)  # noqa: S101 - ``connect`` makes no other
    return own
