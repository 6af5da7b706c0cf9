"""Everything that differs from database to database, apart from writing target tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

import sqlalchemy as sa

from sinks.database.backends.apart import Apart
from sinks.database.catalogue.figures import Need, Server, TableSize
from sinks.database.database import Database
from sinks.database.rehearsing import Rehearsing
from transforms.parse.columns.columnar import Form

Writing = Literal["copy", "sqlite", "on duplicate", "arrow", "portable"]
"""Ways to write a target table: by COPY, as SQLite does best, by MariaDB's INSERT … ON DUPLICATE KEY
UPDATE, from Arrow tables within the process, or by SQL that all databases have."""

WRITES = "sluice_write"
"""Key of a connection's ``info``: whether its transaction writes."""

Row = Mapping[str, Any]
"""Values by column."""


class Group(NamedTuple):
    """Rows that have something in common.

    Attributes:
        shared: What that is.
        cells: The cells of each column, one for each row.
    """

    shared: tuple[Any, ...]
    cells: Sequence[Sequence[Any]]


class Dialect(Protocol):
    """What the tables named ``ingest_`` need of their database.

    ``Generic`` does all of it in portable SQL; ``Postgres``, ``Sqlite``, ``Mariadb`` and ``Duckdb`` do some of
    it better.
    Methods that take a connection run in the transaction that it is in.
    """

    @property
    def writing(self) -> Writing:
        """How target tables are written."""
        ...

    @property
    def experimental(self) -> bool:
        """Whether nobody has tested that the database keeps what this program promises."""
        ...

    @property
    def statement_limit(self) -> str:
        """A query for how many bytes a statement may have; empty if that has no limit.

        A longer one costs the connection, so that it looks like an outage.
        """
        ...

    @property
    def in_process(self) -> bool:
        """Whether the database runs in this process: there is no connection to lose."""
        ...

    @property
    def one_process(self) -> bool:
        """Whether a process that has the database keeps all others out."""
        ...

    def apart(self, url: sa.URL, name: str) -> Apart | None:
        """A place of its own beside what is in the database; None if there is no way to make one.

        Args:
            url: The URL as ``complete`` returns it.
            name: Its name, of small letters, digits and underscores, which is not used yet.
        """
        ...

    @property
    def checks_types(self) -> bool:
        """Whether the database reads text as a column's type and refuses text that does not fit."""
        ...

    @property
    def keeps_zones(self) -> bool:
        """Whether a column can hold a point in time together with its time zone."""
        ...

    @property
    def written_json(self) -> Mapping[str, Form]:
        """By type of a column, how it takes JSON as it is written, as if its value were given."""
        ...

    @property
    def in_flight(self) -> int:
        """How many transactions of one writer may write side by side to advantage."""
        ...

    @property
    def rehearsing(self) -> Rehearsing | None:
        """How a write is tried and taken back; None where created tables cannot be taken back."""
        ...

    @property
    def commits_tables(self) -> bool:
        """Whether a transaction that creates or alters a table is committed by that."""
        ...

    def is_awaited(self, connection: sa.Connection) -> bool:
        """Whether another transaction waits for a lock of this one, as far as can be told."""
        ...

    def longest_name(self, connection: sa.Connection) -> tuple[int, Literal["bytes", "characters"]]:
        """The length of the longest name of a table or column, and what it is counted in."""
        ...

    def folds_names(self, connection: sa.Connection) -> bool:
        """Whether names of tables are the same that differ in capitals and small letters only."""
        ...

    def complete(self, url: sa.URL) -> sa.URL:
        """The URL to connect with.

        Raises:
            ConfigError: The database that it names cannot be used.
        """
        ...

    def exists(self, url: sa.URL) -> bool:
        """Whether there is a database at ``url``, as far as that is known without connecting."""
        ...

    def engine_options(self, database: Database, url: sa.URL) -> dict[str, Any]:
        """Arguments for ``sqlalchemy.create_engine`` beside those that every database gets."""
        ...

    def configure(self, engine: sa.Engine, database: Database) -> None:
        """Have every new connection of ``engine`` set up."""
        ...

    def now(self, connection: sa.Connection) -> datetime:
        """The time, aware, in UTC: the server's, since several hosts must agree on it."""
        ...

    def lock(self, connection: sa.Connection, names: Sequence[tuple[str, ...]]) -> None:
        """Wait for the locks ``names`` and keep them until the transaction ends.

        Where there are no such locks, others are not held off: they meet in a primary key.

        Args:
            connection: To the database.
            names: Each begins with a target table, as the ledger names it.
        """
        ...

    def is_one_of(
        self, column: sa.ColumnElement[Any], numbers: Sequence[int | UUID]
    ) -> sa.ColumnElement[bool]:
        """Whether ``column``, of whole numbers or UUIDs, is one of ``numbers``, however many there are."""
        ...

    def matches(self, column: sa.ColumnElement[str], pattern: str) -> sa.ColumnElement[bool]:
        """Whether a text is like ``pattern``, where ``*`` stands for any text."""
        ...

    def contains(self, column: sa.ColumnElement[bytes], part: bytes) -> sa.ColumnElement[bool]:
        """Whether ``column`` has the bytes ``part`` somewhere."""
        ...

    def insert(
        self,
        connection: sa.Connection,
        table: sa.Table,
        columns: Mapping[str, Sequence[Any]],
        constants: Row,
    ) -> None:
        """Insert many rows, given column by column.

        Args:
            connection: To the database.
            table: Where to insert.
            columns: The values of each column, one for each row.
            constants: The columns whose value is the same in every row.
        """
        ...

    def insert_new(
        self,
        connection: sa.Connection,
        table: sa.Table,
        columns: Mapping[str, Sequence[Any]],
        constants: Row,
        number: str,
    ) -> Sequence[int] | None:
        """Insert rows as ``insert`` does, if none of them is there, and number them.

        Args:
            connection: In a transaction.
            table: Where to insert.
            columns: As in ``insert``; UUIDs may be their 32 hexadecimal digits.
            constants: As in ``insert``.
            number: The column that the database counts up by itself.

        Returns:
            The number of each row; None, and no row is inserted, where that is no faster than
            ``insert_absent``, or where one of the rows has what must be unique and is there.
        """
        ...

    def insert_absent(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], key: str
    ) -> int:
        """Insert those of ``rows``, all with the same columns, whose unique ``key`` is absent.

        Returns:
            How many these were; of many rows only where the driver can tell.

        Raises:
            Contention: Another transaction inserted one of them at the same time.
        """
        ...

    def upsert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        """Insert ``rows``, all with every column, in place of those with their primary key."""
        ...

    def add(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        """Add the numbers of ``rows`` to those of the rows with their primary key, or insert them.

        Args:
            connection: In a transaction that writes.
            table: All its columns apart from the primary key are numbers.
            rows: With every column, each with a key of its own.

        Raises:
            Contention: Another transaction inserted one of them at the same time.
        """
        ...

    def take(
        self,
        connection: sa.Connection,
        key: sa.Column[int],
        first: Callable[[sa.ColumnElement[Any]], sa.Select[Any]],
    ) -> Sequence[int]:
        """Delete rows of a queue that no other transaction has locked; returns their numbers.

        Args:
            connection: To the database.
            key: The primary key of the queue's table.
            first: Selects what is given to it, of the rows to take, and locks them.
        """
        ...

    def groups(
        self,
        connection: sa.Connection,
        of: sa.ColumnElement[int],
        numbers: Sequence[int],
        shared: Sequence[sa.ColumnElement[Any]],
        cells: Sequence[sa.ColumnElement[Any]],
    ) -> Sequence[Group]:
        """Read rows column by column, apart by what they have in common; neither has an order.

        Args:
            connection: To the database.
            of: The number of a row.
            numbers: Those of the rows that are read.
            shared: What the rows of a group have in common.
            cells: The columns that are read of each row.
        """
        ...

    def prefer_indexes(self, connection: sa.Connection, *, ordered: bool) -> None:
        """Have the rest of the transaction read rows by an index.

        Args:
            connection: To the database.
            ordered: Whether indexes have all rows in the order that statements ask for.
        """
        ...

    def read_one_moment(self, connection: sa.Connection) -> None:
        """Have all statements of a transaction that has only begun read the same state."""
        ...

    def group_in_memory(self, connection: sa.Connection) -> None:
        """Have the rest of the transaction group rows as they come, rather than sort them first."""
        ...

    def defer_flush(self, connection: sa.Connection) -> None:
        """Let this commit return before it is on disk: a crash of the server may undo it."""
        ...

    @property
    def builds_beside(self) -> bool:
        """Whether indexes are built while others write, outside of a transaction."""
        ...

    def only_one(self, connection: sa.Connection, name: tuple[str, ...]) -> bool:
        """Take the lock ``name`` until ``connection`` is closed; False if another session has it.

        Where there is no such lock, the answer is True.
        """
        ...

    def lock_wait(self, seconds: int) -> Sequence[str]:
        """Statements after which a transaction waits at most ``seconds`` for a table.

        Empty where nothing bounds that wait.
        """
        ...

    def indexes(self, connection: sa.Connection, table: str) -> dict[str, bool]:
        """By the name of each index of a table, whether it is complete: a build may have failed."""
        ...

    def about_rows(self, connection: sa.Connection, table: str) -> int:
        """About how many rows a table has, without reading them where that can be told."""
        ...

    def about_matches(self, connection: sa.Connection, query: sa.Select[Any]) -> int | None:
        """About how many rows ``query`` finds, without finding them; None where nothing says so."""
        ...

    @property
    def own_clock(self) -> bool:
        """Whether ``now`` is the clock of this machine, since the database has none."""
        ...

    def limit_statements(self, connection: sa.Connection, seconds: float) -> None:
        """Have the database give up statements of this transaction that last longer, where it can."""
        ...

    def server(self, connection: sa.Connection) -> Server:
        """What the database says of itself."""
        ...

    def sizes(
        self, connection: sa.Connection, tables: Sequence[str]
    ) -> Mapping[str, TableSize] | None:
        """The sizes of ``tables``, quoted as in SQL; None where that cannot be told without reading."""
        ...

    def lacking(
        self, connection: sa.Connection, needs: Sequence[Need], role: str
    ) -> Sequence[Need] | None:
        """Those of ``needs`` that a role lacks; None where the database does not say.

        Args:
            connection: To the database.
            needs: The rights.
            role: Whose; empty for that of ``connection``.

        Raises:
            ConfigError: There is no such role.
        """
        ...
