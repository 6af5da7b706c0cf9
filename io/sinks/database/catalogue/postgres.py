"""What PostgreSQL says of itself: from its catalogue and statistics, without reading a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from sinks.database.catalogue.figures import Need, Server, TableSize
from transforms.errors import ConfigError

OLDEST = 12
"""The oldest major version that this program supports."""

_ENDS = {
    12: date(2024, 11, 21),
    13: date(2025, 11, 13),
    14: date(2026, 11, 12),
    15: date(2027, 11, 11),
    16: date(2028, 11, 9),
    17: date(2029, 11, 8),
    18: date(2030, 11, 14),
}
"""The last release of each major version (https://www.postgresql.org/support/versioning/)."""

MOST_TRANSACTIONS = 2**31 - 3_000_000
"""The server stops accepting writes three million before its counter wraps (manual, 24.1.5)."""

_SERVER = sa.text(
    """
    SELECT CAST(current_setting('server_version_num') AS int) AS number,
           current_setting('server_version') AS version,
           current_setting('autovacuum') = 'on' AND current_setting('track_counts') = 'on' AS vacuums,
           CAST(current_setting('max_connections') AS int)
             - CAST(current_setting('superuser_reserved_connections') AS int) AS most,
           (SELECT sum(numbackends) FROM pg_stat_database) AS connections,
           (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()) AS age,
           pg_database_size(current_database()) AS bytes
    """
)
_SIZES = sa.text(
    """
    SELECT n.place, c.reltuples, c.relpages, 
           pg_relation_size(c.oid) / CAST(current_setting('block_size') AS int) AS pages,
           pg_total_relation_size(c.oid) AS bytes, s.n_live_tup, s.n_dead_tup,
           s.n_tup_ins - s.n_tup_del AS grown, d.stats_reset,
           NOT coalesce(c.reloptions && ARRAY['autovacuum_enabled=false', 'autovacuum_enabled=off'],
                        false) AS vacuums
    FROM unnest(CAST(:tables AS text[])) WITH ORDINALITY AS n(name, place)
    JOIN pg_class c ON c.oid = to_regclass(n.name)
    LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
    CROSS JOIN (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()) d
    ORDER BY n.place
    """
)
_LACKING = sa.text(
    """
    SELECT n.place
    FROM unnest(CAST(:rights AS text[]), CAST(:tables AS text[]), CAST(:columns AS text[]))
        WITH ORDINALITY AS n(kind, name, part, place)
    WHERE NOT coalesce(
        CASE
            WHEN kind = 'TEMPORARY' THEN has_database_privilege(:role, current_database(), kind)
            WHEN kind = 'CREATE' THEN has_schema_privilege(:role, current_schema(), kind)
            WHEN to_regclass(name) IS NULL THEN true
            WHEN kind = 'USAGE' THEN has_sequence_privilege(:role, pg_get_serial_sequence(name, part), kind)
            WHEN part = '' THEN has_table_privilege(:role, CAST(to_regclass(name) AS oid), kind)
            ELSE has_column_privilege(:role, CAST(to_regclass(name) AS oid), part, kind)
        END, true)
    ORDER BY n.place
    """
)


def server(connection: sa.Connection) -> Server:
    """The server and the database that ``connection`` is connected to."""
    row = connection.execute(_SERVER).one()
    major = row.number // 10_000
    return Server(
        "PostgreSQL",
        row.version,
        too_old=major < OLDEST,
        supported_until=_ENDS.get(major),
        connections=int(row.connections),
        most_connections=row.most,
        vacuums=row.vacuums,
        transactions=row.age,
        most_transactions=MOST_TRANSACTIONS,
        bytes=row.bytes,
    )


def sizes(connection: sa.Connection, tables: Sequence[str]) -> dict[str, TableSize]:
    """The sizes of ``tables``, quoted as in SQL, by these names; those that are not there are absent."""
    result = {}
    for row in connection.execute(_SIZES, {"tables": list(tables)}):
        analyzed = row.relpages >= 10 and row.reltuples > 0
        density = row.reltuples / row.relpages if analyzed else 0.0
        rows = density * row.pages if analyzed else row.n_live_tup or 0
        result[tables[row.place - 1]] = TableSize(
            rows=int(rows),
            bytes=row.bytes,
            dead=row.n_dead_tup,
            grown=row.grown,
            since=row.stats_reset,
            vacuums=row.vacuums,
        )
    return result


def lacking(connection: sa.Connection, needs: Sequence[Need], role: str) -> list[Need]:
    """Those of ``needs`` that ``role`` does not have; of tables that are not there, nothing is needed.

    Args:
        connection: To the database.
        needs: The rights.
        role: Whose; empty for the role of ``connection``.

    Raises:
        ConfigError: There is no such role.
    """
    if role and not connection.scalar(
        sa.text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": role}
    ):
        raise ConfigError(f"there is no role {role!r} in this database")
    bounds = {
        "role": role or connection.scalar(sa.text("SELECT current_user")),
        "rights": [need.right for need in needs],
        "tables": [need.table for need in needs],
        "columns": [need.column for need in needs],
    }
    return [needs[place - 1] for (place,) in connection.execute(_LACKING, bounds)]
