"""Alembic's operations: DDL that differs from database to database, executed or written as SQL."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from alembic.operations import Operations


def executing(connection: sa.Connection) -> Operations:
    """Operations that are carried out, in the transaction that ``connection`` is in."""
    return _operations(connection, None)


def writing(connection: sa.Connection, script: StringIO) -> Operations:
    """Operations that are written to ``script``, as SQL for the database of ``connection``."""
    return _operations(connection, script)


def _operations(connection: sa.Connection, script: StringIO | None) -> Operations:
    # Here, because most commands need no migration, and Alembic takes a third of a second.
    from alembic.ddl.impl import DefaultImpl
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    try:
        DefaultImpl.get_by_dialect(connection.dialect)
    except KeyError as unknown:  # a database without an entry in Alembic gets portable DDL
        type("PortableImpl", (DefaultImpl,), {"__dialect__": unknown.args[0]})
    writes = {"as_sql": True, "literal_binds": True, "output_buffer": script}
    opts = {} if script is None else writes
    context = MigrationContext.configure(
        connection=connection, dialect=connection.dialect, opts=opts
    )
    return Operations(context)
