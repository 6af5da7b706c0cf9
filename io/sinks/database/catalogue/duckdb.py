"""What DuckDB says of itself: its version, and how large its file is."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.catalogue.figures import Server

OLDEST = (1, 4)
"""The oldest version that this program supports."""

_SIZE = (
    "SELECT block_size * total_blocks, block_size * free_blocks FROM pragma_database_size() "
    "WHERE database_name = current_database()"
)


def server(connection: sa.Connection) -> Server:
    """The library, and the file that ``connection`` has open."""
    version = connection.dialect.server_version_info or ()
    size = connection.exec_driver_sql(_SIZE).one_or_none() or (None, None)
    return Server(
        "DuckDB",
        ".".join(map(str, version)),
        too_old=tuple(version) < OLDEST,
        bytes=size[0],
        free_bytes=size[1],
    )
