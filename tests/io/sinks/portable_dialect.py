"""A database that the program knows nothing about, for tests of portable SQL: SQLite by another name.

SQLAlchemy knows it as ``portable:///file``. What every program must do for SQLite to be usable
(its transactions begin at once, its numbers are INTEGER) is done here, out of the program's sight.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import SQLiteTypeCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

SCHEME = "portable"


class _Types(SQLiteTypeCompiler):
    def visit_BIGINT(self, type_: Any, **kw: Any) -> str:
        return "INTEGER"  # SQLite numbers the rows of no other type by itself


class PortableDialect(SQLiteDialect_pysqlite):
    name = SCHEME
    supports_statement_cache = True
    type_compiler_cls = _Types

    def connect(self, *args: Any, **options: Any) -> Any:
        connection: Any = super().connect(*args, timeout=10, **options)
        connection.isolation_level = None  # the driver must not begin by itself
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA case_sensitive_like = ON")  # as the standard has it
        return connection

    def do_begin(self, dbapi_connection: Any) -> None:
        dbapi_connection.execute("BEGIN IMMEDIATE")


registry.register(SCHEME, __name__, PortableDialect.__name__)
