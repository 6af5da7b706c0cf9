"""MariaDB and MySQL, by PyMySQL."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from sinks.database.backends import apart
from sinks.database.backends.apart import Apart
from sinks.database.backends.generic import Generic
from sinks.database.catalogue import mariadb as catalogue
from sinks.database.catalogue.figures import Server, TableSize
from sinks.database.database import Database
from sinks.database.dialect import Row, Writing
from transforms.errors import ConfigError, Contention

LOCKS = 256
"""How many named locks all partitions of a target share."""

SQL_MODE = (
    "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
)
"""Whatever the server has: what does not fit is refused, 0 is a number like others, and \\ escapes."""

_WAIT = "sluice_wait"
"""Key of a connection's ``info``: seconds that it waits for a lock."""

_UNDO = "sluice_undo"
"""Key of a connection's ``info``: statements that give back what outlasts a transaction."""

_NOW = sa.text("SELECT UTC_TIMESTAMP(6)")
_SPARE_SECONDS = 30
"""How much longer than the server the driver waits for an answer."""


@dataclass(frozen=True, slots=True)
class Mariadb(Generic):
    """MariaDB 10.6 or later, MySQL 8.0 or later: the first ones that pass over locked rows."""

    writing: Writing = "on duplicate"
    own_clock: bool = False
    commits_tables: bool = True
    experimental: bool = False
    statement_limit: str = "SELECT @@max_allowed_packet"

    def apart(self, url: sa.URL, name: str) -> Apart:
        return apart.database(url, name)

    def complete(self, url: sa.URL) -> sa.URL:
        """With the driver named, and with the one of SQLAlchemy's two names that fits both databases.

        Its other one stores UUIDs in a type that not all of these databases have.
        """
        if not url.database:
            raise ConfigError(
                f"sink URL for {url.drivername} names no database; write "
                "mysql://user:${env:MYSQL_PWD}@host:3306/database"
            )
        _, _, driver = url.drivername.partition("+")
        return url.set(drivername=f"mysql+{driver or 'pymysql'}")

    def engine_options(self, database: Database, url: sa.URL) -> dict[str, Any]:
        # READ COMMITTED: the ledger is read again at the end of a commit and must then see what
        # others have committed meanwhile; and rows that are not there are not locked.
        options: dict[str, Any] = {"isolation_level": "READ COMMITTED"}
        if self.writing == "on duplicate":
            patience = database.statement_timeout + _SPARE_SECONDS
            connect = {
                "charset": "utf8mb4",
                "connect_timeout": database.connect_timeout,
                "read_timeout": patience,
                "write_timeout": patience,
                "program_name": "sluice",
            }
            options["connect_args"] = {n: v for n, v in connect.items() if n not in url.query}
        return options

    def configure(self, engine: sa.Engine, database: Database) -> None:
        timeout = database.statement_timeout

        def set_up(connection: Any, record: Any) -> None:
            record.info[_WAIT] = max(1, timeout)
            record.info[_UNDO] = {}
            cursor = connection.cursor()
            cursor.execute(_session(connection.get_server_info(), timeout))
            cursor.close()
            connection.commit()

        def give_back(connection: Any, record: Any, _state: object) -> None:
            undo = record.info.get(_UNDO)
            if connection is None or not undo:
                return
            with suppress(Exception):  # the connection is gone, and its locks with it
                cursor = connection.cursor()
                for statement in undo.values():
                    cursor.execute(statement)
            undo.clear()

        sa.event.listen(engine, "connect", set_up)
        sa.event.listen(engine, "reset", give_back)

    def longest_name(self, connection: sa.Connection) -> tuple[int, Literal["bytes", "characters"]]:
        return 64, "characters"

    def folds_names(self, connection: sa.Connection) -> bool:
        """As the server is set up: by default, not on Linux."""
        return bool(connection.scalar(sa.text("SELECT @@lower_case_table_names")))

    def now(self, connection: sa.Connection) -> datetime:
        """A round trip."""
        time: datetime = connection.execute(_NOW).scalar_one()
        return time.replace(tzinfo=UTC)

    def lock(self, connection: sa.Connection, names: Sequence[tuple[str, ...]]) -> None:
        """Take named locks, in one order for all writers so that they cannot deadlock.

        They belong to the session: it gives them back when the connection returns to its pool.

        Raises:
            Contention: Another session kept one of them.
        """
        locks = sorted({_lock_name(connection, name) for name in names})
        if not locks:
            return
        connection.info[_UNDO]["locks"] = "DO RELEASE_ALL_LOCKS()"
        wait = connection.info[_WAIT]
        # One after another, and none after one that was not given.
        taken = sa.text(" AND ".join(f"GET_LOCK('{name}', {wait:d}) = 1" for name in locks))
        if connection.execute(sa.select(taken)).scalar_one() != 1:
            raise Contention(f"another session keeps a lock of {names[0][0] or 'the tables'}")

    def only_one(self, connection: sa.Connection, name: tuple[str, ...]) -> bool:
        taken = sa.text(f"SELECT GET_LOCK('{_lock_name(connection, name)}', 0)")
        connection.info[_UNDO]["locks"] = "DO RELEASE_ALL_LOCKS()"
        return bool(connection.execute(taken).scalar_one() == 1)

    def lock_wait(self, seconds: int) -> Sequence[str]:
        return [f"SET lock_wait_timeout = {seconds:d}"]

    def about_rows(self, connection: sa.Connection, table: str) -> int:
        """As the storage engine estimates them."""
        size = catalogue.sizes(connection, [table]).get(table)
        return size.rows if size is not None else 0

    def insert_absent(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], key: str
    ) -> int:
        """Of a few rows at a time: a statement with all keys might be longer than the server takes."""
        count = 0
        for start in range(0, len(rows), 1_000):
            chunk = rows[start : start + 1_000]
            count += Generic.insert_absent(self, connection, table, chunk, key)
        return count

    def upsert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        statement = mysql.insert(table)
        others = [column.name for column in table.columns if not column.primary_key]
        changes = {name: statement.inserted[name] for name in others}
        connection.execute(statement.on_duplicate_key_update(changes), rows)

    def add(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        statement = mysql.insert(table)
        sums = {
            column.name: column + statement.inserted[column.name]
            for column in table.columns
            if not column.primary_key
        }
        connection.execute(statement.on_duplicate_key_update(sums), rows)

    def read_one_moment(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def limit_statements(self, connection: sa.Connection, seconds: float) -> None:
        if not catalogue.is_mariadb(connection):
            return  # MySQL limits only some of them
        connection.info[_UNDO].setdefault(
            "limit", f"SET max_statement_time = {connection.info[_WAIT]:d}"
        )
        connection.exec_driver_sql(f"SET max_statement_time = {seconds:.3f}")

    def server(self, connection: sa.Connection) -> Server:
        return catalogue.server(connection)

    def sizes(self, connection: sa.Connection, tables: Sequence[str]) -> Mapping[str, TableSize]:
        return catalogue.sizes(connection, tables)


def _session(version: str, timeout: int) -> str:
    """What every session is set to, whatever the server's own settings are."""
    settings = {
        "time_zone": "'+00:00'",
        "sql_mode": f"'{SQL_MODE}'",
        "default_storage_engine": "InnoDB",
        "innodb_lock_wait_timeout": str(max(1, timeout)),
        "lock_wait_timeout": str(max(1, timeout)),
    }
    if "mariadb" in version.lower():
        settings["max_statement_time"] = str(timeout)
        # For the server to notice a client that hangs in a transaction, and to release its locks.
        settings["idle_transaction_timeout"] = "600"
    else:
        settings["max_execution_time"] = str(timeout * 1_000)
        settings["information_schema_stats_expiry"] = "0"  # sizes as they are, not of yesterday
    return "SET " + ", ".join(f"{name} = {value}" for name, value in settings.items())


def _lock_name(connection: sa.Connection, name: tuple[str, ...]) -> str:
    """One of ``LOCKS`` names of the target (the first part of ``name``): a server has them for all its
    databases."""
    place = f"{connection.engine.url.database}\x00{name[0]}"
    target = hashlib.blake2b(place.encode(), digest_size=12).hexdigest()
    rest = hashlib.blake2b("\x00".join(name[1:]).encode(), digest_size=8).digest()
    return f"sluice.{target}.{int.from_bytes(rest, 'big') % LOCKS:03d}"
