"""What MariaDB and MySQL say of themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence

import sqlalchemy as sa

from sinks.database.catalogue.figures import Server, TableSize

OLDEST = {"MariaDB": (10, 6), "MySQL": (8, 0)}
"""The oldest versions that this program supports: the first that pass over locked rows."""

_STATE = sa.text(
    "SELECT VERSION(), @@max_connections, (SELECT COUNT(*) FROM information_schema.processlist), "
    "(SELECT SUM(data_length + index_length) FROM information_schema.tables "
    "WHERE table_schema = DATABASE())"
)
_SIZES = sa.text(
    "SELECT table_name, table_rows, data_length + index_length FROM information_schema.tables "
    "WHERE table_schema = DATABASE() AND table_name IN :names"
).bindparams(sa.bindparam("names", expanding=True))


def is_mariadb(connection: sa.Connection) -> bool:
    """Whether it is MariaDB, not MySQL."""
    return bool(getattr(connection.dialect, "is_mariadb", False))


def server(connection: sa.Connection) -> Server:
    """Its product, version, connections and size."""
    version, most, now, size = connection.execute(_STATE).one()
    name = "MariaDB" if is_mariadb(connection) else "MySQL"
    numbers = tuple(map(int, re.findall(r"\d+", version)[:3]))
    return Server(
        name,
        ".".join(map(str, numbers)),
        too_old=numbers[:2] < OLDEST[name],
        connections=int(now),
        most_connections=int(most),
        bytes=None if size is None else int(size),
    )


def sizes(connection: sa.Connection, tables: Sequence[str]) -> dict[str, TableSize]:
    """The sizes of ``tables``, by the names that are given: quoted or not."""
    names = {re.sub(r'^[`"]|[`"]$', "", table): table for table in tables}
    if not names:
        return {}
    rows = connection.execute(_SIZES, {"names": list(names)})
    return {names[name]: TableSize(int(rows or 0), int(size or 0)) for name, rows, size in rows}
