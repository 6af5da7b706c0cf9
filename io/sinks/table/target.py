"""The target table as the database describes it, and whether it can take the records."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from sinks.table.config import OnConflict, SqlConfig, UnknownFields
from sinks.text.quoting import quote
from sinks.text.table_name import TableName
from transforms.errors import ConfigError

ORIGIN_COLUMNS = ("ingest_source", "ingest_partition", "ingest_offset")
"""The key of a table whose records have none of their own: where each came from."""

PAYLOAD = "payload"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: As the database stores it.
        type: The database's name of the type, in lower case.
        has_default: The database fills it when a row leaves it out.
        generated: The database alone may fill it.
        not_null: It must not be NULL.
        one_spelling: Texts are equal as values of the column only if they are the same text.
    """

    name: str
    type: str
    has_default: bool = False
    generated: bool = False
    not_null: bool = False
    one_spelling: bool = False

    @property
    def required(self) -> bool:
        """Whether a new row must have a value for it."""
        return self.not_null and not self.has_default


@dataclass(frozen=True, slots=True)
class Interplay:
    """How rows of a table, or what is done to them, depend on more than the row itself.

    Attributes:
        entangled: Whether one row may decide whether another is accepted, other than by its key:
            by a second unique or an exclusion constraint, a trigger, or a reference to the table
            itself.
        rewriting: Whether a trigger may change a row before it is written, or leave it out.
        self_references: For each foreign key of the table to itself, its columns and the
            columns that it refers to.
        checked: Names of the columns that CHECK constraints look at.
        references: Names of the columns of foreign keys.
        checks: The conditions of CHECK constraints, as SQL over the columns; None where more
            than types, these, NOT NULL and foreign keys decides whether a row is accepted:
            generated columns, or an index over expressions.
    """

    entangled: bool = False
    rewriting: bool = False
    self_references: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    checked: frozenset[str] = frozenset()
    references: frozenset[str] = frozenset()
    checks: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A table that records are written to.

    Attributes:
        table: Its name and schema.
        label: Its name in the ledger: without the schema, where that is the default one.
        columns: Every column that a record may fill, in the table's order.
        generated: Names of columns that only the database fills.
        key: The columns that identify a record.
        origin_key: Whether these are ``ORIGIN_COLUMNS``.
        whole_payload: Whether ``payload`` takes the record as it is: the table has nothing but
            its key and this column, and this program made it so.
        on_conflict: What to do with a key that is there already.
        unknown_fields: What to do with a field that has no column.
        deferrable: Whether a constraint of the table may wait until the commit.
        partitioned: Whether its rows lie in partitions of it.
        interplay: What rows depend on besides themselves.
    """

    table: TableName
    label: str
    columns: tuple[Column, ...]
    generated: frozenset[str]
    key: tuple[str, ...]
    origin_key: bool
    whole_payload: bool
    on_conflict: OnConflict
    unknown_fields: UnknownFields
    deferrable: bool = False
    partitioned: bool = False
    interplay: Interplay = Interplay()

    @property
    def defaults(self) -> frozenset[str]:
        """Names of columns where a missing field is not the same as NULL."""
        return frozenset(column.name for column in self.columns if column.has_default)


@dataclass(frozen=True, slots=True)
class Description:
    """What a database says of a table.

    Attributes:
        columns: All columns, in the table's order.
        unique: The column sets that are unique and can settle a conflict.
        schema: The schema it was found in; None where the database has none.
        deferrable: As in ``Target``.
        partitioned: As in ``Target``.
        interplay: As in ``Target``; without the unique column sets.
    """

    columns: tuple[Column, ...]
    unique: tuple[frozenset[str], ...]
    deferrable: bool = False
    partitioned: bool = False
    interplay: Interplay = Interplay()


def target_of(
    config: SqlConfig, label: str, found: Description | None, *, whole_payload: bool
) -> Target:
    """Check what ``found`` says against ``config``.

    Raises:
        ConfigError: The table is missing, lacks a column that the options name, or has no
            unique constraint on exactly the key; the message says what to do.
    """
    table = config.table_name
    if found is None:
        raise ConfigError(f"table {table} does not exist; create it or run the ingest once")
    names = {column.name for column in found.columns}
    key = config.key or ORIGIN_COLUMNS
    _check_columns(config, table, names)
    if frozenset(key) not in found.unique:
        columns = ", ".join(quote(name) for name in key)
        raise ConfigError(
            f"table {table} has no unique constraint on exactly the key ({', '.join(key)}); "
            f"run: ALTER TABLE {table} ADD UNIQUE ({columns})"
        )
    writable = tuple(column for column in found.columns if not column.generated)
    return Target(
        table=table,
        label=label,
        columns=writable,
        generated=frozenset(column.name for column in found.columns if column.generated),
        key=key,
        origin_key=not config.key,
        whole_payload=whole_payload,
        on_conflict=config.on_conflict,
        unknown_fields=config.unknown_fields,
        deferrable=found.deferrable,
        partitioned=found.partitioned,
        interplay=replace(
            found.interplay,
            # What contains the key is unique anyway.
            entangled=found.interplay.entangled
            or any(not unique.issuperset(key) for unique in found.unique),
        ),
    )


def _check_columns(config: SqlConfig, table: TableName, names: Collection[str]) -> None:
    missing = [name for name in config.key if name not in names]
    if missing:
        raise ConfigError(
            f"table {table} has no key column {', '.join(missing)}; it has {_some(names)}"
        )
    if not config.key and not set(ORIGIN_COLUMNS) <= set(names):
        raise ConfigError(
            f"table {table} has no columns {', '.join(ORIGIN_COLUMNS)} for records without a "
            "key; give --key FIELD, or add them with a unique constraint"
        )
    field = config.on_conflict.field
    if field and field not in names:
        raise ConfigError(
            f"table {table} has no column {field} for on_conflict newest:{field}; "
            f"it has {_some(names)}"
        )
    if config.unknown_fields == "payload" and PAYLOAD not in names:
        raise ConfigError(
            f"table {table} has no column {PAYLOAD} for unknown_fields payload; add it as JSON"
        )


def _some(names: Collection[str]) -> str:
    shown = sorted(names)[:20]
    return ", ".join(shown) + (", …" if len(names) > len(shown) else "")
