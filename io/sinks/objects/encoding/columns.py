"""The columns of a dataset: which fields its objects have, and what becomes of other fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal, get_args

import pyarrow as pa

from sinks.objects.encoding.column_types import JSON_TEXT, TEXT, ColumnType
from sinks.objects.encoding.origins import ELEMENT_FIELDS, ORIGIN_FIELDS
from sinks.objects.encoding.schema_types import types_of
from sinks.objects.encoding.stored_types import stored_types
from transforms.batch.record import Format
from transforms.errors import ConfigError

UnknownFields = Literal["reject", "ignore", "payload"]

PAYLOAD = "payload"
"""The column of whole records where no fields are known, or of fields without a column."""

_RESERVED = frozenset(name for name, _ in (*ORIGIN_FIELDS, *ELEMENT_FIELDS))


@dataclass(frozen=True)
class Columns:
    """The columns of a dataset. Picklable.

    Attributes:
        fields: The columns of the records' fields, in order.
        unknown_fields: What to do with a field that has no column: ``reject`` the record,
            ``ignore`` the field, or gather such fields in the column ``payload``, as JSON text.
        whole: Whether ``payload`` is the only column, and has the whole record as JSON text.
        origin: Whether the columns of the origin come first.
        elements: Whether an offset may have several records, which takes two more of these.
    """

    fields: tuple[tuple[str, ColumnType], ...]
    unknown_fields: UnknownFields = "reject"
    whole: bool = False
    origin: bool = True
    elements: bool = False

    def __post_init__(self) -> None:
        if self.unknown_fields not in get_args(UnknownFields):
            allowed = ", ".join(get_args(UnknownFields))
            raise ConfigError(f"unknown_fields must be {allowed}; got {self.unknown_fields!r}")
        taken = _RESERVED.intersection(name for name, _ in self.fields)
        if taken and self.origin:
            raise ConfigError(
                f"field {', '.join(sorted(taken))} has the name of a column of the origin; "
                "rename it by a mapping"
            )

    @classmethod
    def of(
        cls,
        schema: str | None,
        *,
        unknown_fields: UnknownFields = "reject",
        origin: bool = True,
        elements: bool = False,
    ) -> Columns:
        """The columns for a JSON Schema, or ``payload`` alone without one.

        Args:
            schema: JSON Schema as JSON text, or None.
            unknown_fields: As in ``Columns``; it has no meaning without a schema.
            origin: As in ``Columns``.
            elements: As in ``Columns``.

        Raises:
            ConfigError: The schema has no properties, or one has a name that is taken.
        """
        if schema is None:
            return cls(((PAYLOAD, JSON_TEXT),), "ignore", True, origin, elements)
        types = types_of(
            schema, open_objects=unknown_fields != PAYLOAD, ignoring=unknown_fields == "ignore"
        )
        return cls(_with_payload(types, unknown_fields), unknown_fields, False, origin, elements)

    @classmethod
    def of_text(
        cls, names: Sequence[str], *, origin: bool = True, elements: bool = False
    ) -> Columns:
        """Columns of text for CSV without a schema, by its header, and ``payload`` for other fields.

        Steps may give its records further fields, which are not refused. A header that has one of
        our own names has no columns but ``payload``.
        """
        return cls._of_source(dict.fromkeys(names, TEXT), origin, elements)

    @classmethod
    def of_arrow(cls, schema: Any, *, origin: bool = True, elements: bool = False) -> Columns:
        """The columns of a typed source, by the Arrow schema of its objects (``pa.Schema``).

        Other fields go to ``payload``, as those of ``of_text`` do.
        """
        return cls._of_source(stored_types(schema), origin, elements)

    @classmethod
    def _of_source(cls, types: dict[str, ColumnType], origin: bool, elements: bool) -> Columns:
        if _RESERVED.union((PAYLOAD,)).intersection(types):
            return cls.of(None, origin=origin, elements=elements)
        fields = _with_payload(types, "payload")
        return cls(fields, "payload", False, origin, elements)

    @cached_property
    def types(self) -> dict[str, ColumnType]:
        """The type of each field."""
        return dict(self.fields)

    @cached_property
    def schema(self) -> Any:
        """Arrow's schema of an object (``pa.Schema``); every column may be null."""
        origin = ORIGIN_FIELDS if self.origin else ()
        elements = ELEMENT_FIELDS if self.origin and self.elements else ()
        fields = [(name, column.arrow) for name, column in self.fields]
        return pa.schema([*origin, *elements, *fields])

    def __getstate__(self) -> dict[str, Any]:
        cached = ("types", "schema")
        return {name: value for name, value in self.__dict__.items() if name not in cached}


def columns_for(columns: Columns, format_: Format, *, mapped: bool = False) -> Columns:
    """The columns of one object of a dataset: those of ``columns``, unless a CSV header knows better.

    Args:
        columns: Those of the dataset; no header changes them if a schema or a typed source made them.
        format_: The format of the object's records.
        mapped: Whether a mapping may have given the fields other names (``RecordBatch.cells``).
    """
    if columns.whole and format_.name == "csv" and format_.columns and not mapped:
        return _of_header(format_.columns, columns.origin, columns.elements)
    return columns


@lru_cache(maxsize=64)
def _of_header(names: tuple[str, ...], origin: bool, elements: bool) -> Columns:
    return Columns.of_text(names, origin=origin, elements=elements)


def _with_payload(
    types: dict[str, ColumnType], unknown_fields: UnknownFields
) -> tuple[tuple[str, ColumnType], ...]:
    if unknown_fields == PAYLOAD and types.setdefault(PAYLOAD, JSON_TEXT).kind != "json":
        raise ConfigError(
            "unknown fields go to the column payload, and the schema gives the field payload a type "
            "of its own; use --unknown_fields reject or ignore"
        )
    return tuple(types.items())
