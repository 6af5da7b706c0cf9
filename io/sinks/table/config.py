"""What the SQL sink is told: where to write, by which key, and what to do on conflict."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sinks.database.database import Database
from sinks.database.label import is_table
from transforms.errors import ConfigError
from transforms.route.table_name import UNROUTED, TableName

ConflictMode = Literal["ignore", "update", "newest"]
UnknownFields = Literal["reject", "ignore", "payload"]
Create = Literal["missing", "never"]


POSITION = "@position"
"""What ``newest`` compares where that is no field: the position of a change event, or the offset."""


@dataclass(frozen=True, slots=True)
class OnConflict:
    """What to do with a record whose key is there already.

    Attributes:
        mode: ``ignore`` keeps the row; ``update`` overwrites the columns that the record
            has; ``newest`` does so only when ``field`` is greater than in the row.
        field: The column that ``newest`` compares.
    """

    mode: ConflictMode = "ignore"
    field: str = ""

    @classmethod
    def parse(cls, text: str) -> OnConflict:
        """Read ``ignore``, ``update`` or ``newest:FIELD``.

        Raises:
            ConfigError: It is none of these.

        >>> OnConflict.parse("newest:updated_at")
        OnConflict(mode='newest', field='updated_at')
        """
        mode, _, field = text.partition(":")
        if mode == "ignore" and not field:
            return cls("ignore")
        if mode == "update" and not field:
            return cls("update")
        if mode == "newest" and field:
            return cls("newest", field)
        raise ConfigError(
            f"on_conflict must be ignore, update or newest:FIELD (or newest:{POSITION}), got {text!r}"
        )


@dataclass(frozen=True, slots=True)
class SqlConfig:
    """The configuration of the SQL sink: picklable, without secrets.

    Attributes:
        database: The database of the table, its ledger, its jobs and its outbox.
        table: Target table, optionally ``schema.table``; ``UNROUTED`` for none of its own, the URL
            of a dataset if that is where records go.
        key: Columns that identify a record; empty makes its origin the key.
        on_conflict: What to do with a record whose key is there already.
        unknown_fields: What to do with a field that has no column: ``reject`` the record,
            ``ignore`` the field, or gather such fields in the JSON column ``payload``.
        schema: JSON Schema as JSON text; it only shapes a table to be created, whose columns
            keep the order of its properties.
        create: Whether a ``missing`` table is created, or ``never``.
        elements: Whether one message may hold several records, or a step make several of one, so
            that it takes a number to tell them apart where the origin is the key.
        on_delete: What becomes of the row of a record that is a delete: ``delete``, or ``mark:COLUMN``,
            which sets a boolean or a timestamp. Empty where no record is one.
    """

    database: Database
    table: str
    key: tuple[str, ...] = ()
    on_conflict: OnConflict = OnConflict()
    unknown_fields: UnknownFields = "reject"
    schema: str | None = None
    create: Create = "missing"
    elements: bool = False
    on_delete: str = ""

    def __post_init__(self) -> None:
        TableName.parse(self.table)
        if len(set(self.key)) != len(self.key) or "" in self.key:
            raise ConfigError(f"key must name distinct columns, got {', '.join(self.key)!r}")
        if self.unknown_fields not in get_args(UnknownFields):
            allowed = ", ".join(get_args(UnknownFields))
            raise ConfigError(f"unknown_fields must be {allowed}; got {self.unknown_fields!r}")
        if self.create not in get_args(Create):
            raise ConfigError(f"create must be {', '.join(get_args(Create))}; got {self.create!r}")
        if self.is_ordered:
            self._check_order()
        if self.on_conflict.mode == "newest" and self.on_conflict.field in self.key:
            raise ConfigError(
                f"newest:{self.on_conflict.field} compares a key column; name another column"
            )

    @classmethod
    def of(
        cls,
        url: str,
        table: str = UNROUTED,
        *,
        key: Sequence[str] = (),
        on_conflict: str = "ignore",
        unknown_fields: UnknownFields = "reject",
        schema: Mapping[str, Any] | str | None = None,
        create: Create = "missing",
        elements: bool = False,
        on_delete: str = "",
        connect_timeout: int = 10,
        statement_timeout: int = 120,
    ) -> SqlConfig:
        """The configuration for option values as a user writes them.

        Args:
            url: SQLAlchemy URL; an inline password is concealed.
            table: ``table`` or ``schema.table``; by default none, where routes name all tables.
            key: Key columns.
            on_conflict: ``ignore``, ``update``, ``newest:FIELD`` or ``newest:@position``.
            unknown_fields: ``reject``, ``ignore`` or ``payload``.
            schema: JSON Schema, parsed or as text.
            create: ``missing`` or ``never``.
            elements: Whether one message may hold several records, or a step make several of one.
            on_delete: ``delete`` or ``mark:COLUMN``; empty where no record is a delete.
            connect_timeout: Seconds.
            statement_timeout: Seconds.

        Raises:
            ConfigError: A value is wrong; the message says which.
        """
        if isinstance(schema, str):
            try:
                schema = json.loads(schema)
            except ValueError as error:
                raise ConfigError(f"the schema is not JSON: {error}") from error
        return cls(
            database=Database(url, connect_timeout, statement_timeout),
            table=table,
            key=tuple(key),
            on_conflict=OnConflict.parse(on_conflict),
            unknown_fields=unknown_fields,
            schema=None if schema is None else json.dumps(schema),
            create=create,
            elements=elements,
            on_delete=on_delete,
        )

    @property
    def has_table(self) -> bool:
        """Whether there is a table at all: where routes name all tables, there is none.

        Nor is there if the pipeline's own target is a dataset of objects, whose URL is the name.
        """
        return is_table(self.table)

    @property
    def is_ordered(self) -> bool:
        """Whether how far each key has come is kept beside the table."""
        return bool(self.on_delete) or self.on_conflict.field == POSITION

    @property
    def mark(self) -> str:
        """The column that marks rows which are gone; empty where they are deleted."""
        return self.on_delete.partition(":")[2]

    def _check_order(self) -> None:
        mode, colon, column = self.on_delete.partition(":")
        if self.on_delete and not ((mode == "mark" and column) or (mode == "delete" and not colon)):
            raise ConfigError(f"on_delete must be delete or mark:COLUMN, got {self.on_delete!r}")
        if not self.has_table:
            return
        if self.on_conflict.mode != "newest":
            raise ConfigError(
                f"deletes need an order, and on_conflict is {self.on_conflict.mode}; give --on_conflict "
                f"newest:FIELD, a field that grows with each change, or newest:{POSITION}"
            )
        if not self.key:
            raise ConfigError("deletes, and newest:@position, need a key; give --key FIELD")

    @property
    def table_name(self) -> TableName:
        """The target table's parsed name."""
        return TableName.parse(self.table)
