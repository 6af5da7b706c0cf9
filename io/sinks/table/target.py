"""The target table as the database describes it, and whether it can take the records."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa

from sinks.table.config import POSITION, OnConflict, SqlConfig, UnknownFields
from sinks.text.unique_key import unique_statement
from transforms.batch.expected import ExpectedFields
from transforms.errors import ConfigError
from transforms.parse.columns.columnar import ColumnForms, Form
from transforms.route.table_name import TableName

ORIGIN_COLUMNS = ("ingest_source", "ingest_partition", "ingest_offset")
"""The key of a table whose records have no key of their own: where each record came from."""

ELEMENT_COLUMNS = (*ORIGIN_COLUMNS, "ingest_element")
"""The same where one offset may have several records; a record that is the only one has 0."""

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
        one_spelling: Different texts are always different values of the column.
        modifier: What bounds the type, as the database keeps it, such as a length; -1 for no bound.
        fixed: Its type is not to be changed: it is a domain, or another column is computed of it.
    """

    name: str
    type: str
    has_default: bool = False
    generated: bool = False
    not_null: bool = False
    one_spelling: bool = False
    modifier: int = -1
    fixed: bool = False

    @property
    def required(self) -> bool:
        """Whether a new row must have a value for it."""
        return self.not_null and not self.has_default


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference to another table, which a query can follow.

    Attributes:
        columns: Names of the columns that refer.
        parent: What stands after FROM for the rows that they refer to.
        others: Names of the columns that they refer to.
    """

    columns: tuple[str, ...]
    parent: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Interplay:
    """How the fate of a row depends on more than the row itself.

    Attributes:
        entangled: Whether one row may decide, other than by its key, whether another is accepted:
            by a second unique constraint, an exclusion constraint, a trigger, or a reference to
            the table itself.
        rewriting: Whether a trigger may change a row before it is written, or leave it out.
        self_references: For each foreign key of the table to itself, its columns and the
            columns that it refers to.
        checked: Names of the columns that conditions on a row look at: CHECK constraints, those
            of domains, row-level security and generated columns.
        references: Names of the columns of foreign keys.
        ancestors: Labels of the other tables that the table refers to, directly or not.
        checks: The conditions of CHECK constraints, as SQL over the columns. None if more than
            these, types, NOT NULL and foreign keys decides whether a row is accepted: generated
            columns, row-level security, or an index over expressions.
        foreign_keys: Those of its foreign keys, all checked at once, whose other table the role may
            read as the database does.
    """

    entangled: bool = False
    rewriting: bool = False
    self_references: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    checked: frozenset[str] = frozenset()
    references: frozenset[str] = frozenset()
    ancestors: frozenset[str] = frozenset()
    checks: tuple[str, ...] | None = None
    foreign_keys: tuple[ForeignKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """A table that records are written to.

    Attributes:
        table: Its name and schema.
        label: Its name in the ledger, without the schema if that is the default one.
        columns: Every column that a record may fill, in the table's order.
        generated: Names of columns that only the database fills.
        key: The columns that identify a record.
        origin_key: Whether these are ``ORIGIN_COLUMNS`` or ``ELEMENT_COLUMNS``.
        whole_payload: Whether ``payload`` takes the whole record: the table has only its key and
            this column, because this program created it so.
        on_conflict: What to do with a key that is there already.
        unknown_fields: What to do with a field that has no column.
        deferrable: Whether a constraint of the table may wait until the commit.
        partitioned: Whether it is a partitioned table.
        interplay: What the fate of a row depends on besides the row.
        evolves: Whether the table gets columns for fields that have none.
        ordered: Whether how far each key has come is kept beside the table.
        mark: The column that marks rows which are gone; empty where they are deleted, if at all.
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
    evolves: bool = False
    ordered: bool = False
    mark: str = ""

    @property
    def defaults(self) -> frozenset[str]:
        """Names of columns where a missing field is not the same as NULL."""
        return frozenset(column.name for column in self.columns if column.has_default)

    def column_forms(self, written: Mapping[str, Form]) -> ColumnForms | None:
        """How records are read that are for this table; None where each is looked at by itself.

        Args:
            written: By type, how the database takes JSON as it is written.
        """
        if self.whole_payload or self.ordered:
            return None
        return ColumnForms(
            tuple(
                (column.name, column.type, written[column.type])
                for column in self.columns
                if column.type in written and column.name not in self.key
            )
        )

    @property
    def expected_fields(self) -> ExpectedFields:
        """Fields of which every record needs at least one."""
        if self.whole_payload or self.evolves or self.unknown_fields != "reject":
            return ExpectedFields(frozenset() if self.origin_key else frozenset(self.key))
        names = frozenset(column.name for column in self.columns) - set(ELEMENT_COLUMNS)
        return ExpectedFields(names, complete=True)


@dataclass(frozen=True, slots=True)
class Description:
    """What a database says of a table.

    Attributes:
        columns: All columns, in the table's order.
        unique: The column sets that are unique and can settle a conflict.
        deferrable: As in ``Target``.
        partitioned: As in ``Target``.
        interplay: As in ``Target``; without the unique column sets.
        view: Whether it is a view, which has no unique column sets of its own.
        shown: The table whose rows the view shows; None if that is not known, or not only one.
    """

    columns: tuple[Column, ...]
    unique: tuple[frozenset[str], ...]
    deferrable: bool = False
    partitioned: bool = False
    interplay: Interplay = Interplay()
    view: bool = False
    shown: TableName | None = None


def target_of(
    config: SqlConfig,
    label: str,
    description: Description | None,
    *,
    whole_payload: bool,
    dialect: sa.Dialect | None = None,
) -> Target:
    """The target of ``config``, checked.

    Args:
        config: What the user asks for.
        label: The table's name in the ledger.
        description: As the database describes the table; None if there is no such table.
        whole_payload: As in ``Target``.
        dialect: In whose SQL a message says what to run; None for standard SQL.

    Raises:
        ConfigError: The table is missing, lacks a column that the options name, has no unique
            constraint on exactly the key, or generates it; the message says what to do.
    """
    table = config.table_name
    if description is None:
        raise ConfigError(f"table {table} does not exist; create it or run the ingest once")
    names = {column.name for column in description.columns}
    key = key_of(config, description)
    _check_columns(config, table, names)
    if frozenset(key) not in description.unique:
        if description.view:
            raise ConfigError(f"{table} {without_key(description)}")
        raise ConfigError(
            f"table {table} has no unique constraint on exactly the key ({', '.join(key)}); "
            f"run: {unique_statement(table, key, dialect)}"
        )
    generated = frozenset(column.name for column in description.columns if column.generated)
    if unwritable := [name for name in key if name in generated]:
        raise ConfigError(
            f"table {table} generates its key column {', '.join(unwritable)}, so no record can bring it; "
            "give another --key, or let the column take values"
        )
    writable = tuple(column for column in description.columns if not column.generated)
    return Target(
        table=table,
        label=label,
        columns=writable,
        generated=generated,
        key=key,
        origin_key=not config.key,
        whole_payload=whole_payload,
        on_conflict=config.on_conflict,
        unknown_fields=config.unknown_fields,
        deferrable=description.deferrable,
        partitioned=description.partitioned,
        interplay=replace(
            description.interplay,
            # What contains the key is unique anyway.
            entangled=description.interplay.entangled
            or any(not unique.issuperset(key) for unique in description.unique),
        ),
        evolves=config.evolves,
        ordered=config.is_ordered,
        mark=config.mark,
    )


def key_of(config: SqlConfig, description: Description | None) -> tuple[str, ...]:
    """The columns that identify a record.

    Args:
        config: What the user asks for.
        description: As the database describes the table; None if there is no such table.
    """
    if config.key:
        return config.key
    numbered = description is not None and frozenset(ELEMENT_COLUMNS) in description.unique
    plain = description is not None and frozenset(ORIGIN_COLUMNS) in description.unique
    return ELEMENT_COLUMNS if config.elements or (numbered and not plain) else ORIGIN_COLUMNS


def without_key(view: Description) -> str:
    """What is wrong with a view as a target, and what to do, after its name."""
    table = "its table" if view.shown is None else f"its table, {view.shown}"
    return f"is a view, and a view has no unique key; write into {table}"


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
    if not config.key and config.elements and not set(ELEMENT_COLUMNS) <= set(names):
        raise ConfigError(
            f"table {table} has no column {ELEMENT_COLUMNS[-1]}, and a message may hold several "
            "records; give --key FIELD, or add the column as an integer, with a unique constraint "
            f"on {', '.join(ELEMENT_COLUMNS)}"
        )
    field = config.on_conflict.field
    if field and field != POSITION and field not in names:
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
