"""The type that is proposed for a field: the narrowest one that every value of the sample has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.proposal.names import words_of
from pipelines.proposal.sampling.column import Column
from pipelines.proposal.sampling.kinds import Kind

_NUMBERS = frozenset({Kind.INTEGER, Kind.LARGE, Kind.NUMBER, Kind.SCIENTIFIC})
_SCALARS = frozenset(Kind) - {Kind.OBJECT, Kind.ARRAY, Kind.BYTES, Kind.DURATION, Kind.NOT_FINITE}

_DIGITS_BUT_NO_NUMBERS = frozenset(
    {"zip", "zipcode", "postcode", "postal", "plz", "phone", "telephone", "tel", "telefon"}
    | {"mobile", "mobil", "fax", "ssn", "ean", "gtin", "isbn", "upc", "imei", "barcode", "iban"}
)
"""Words in the names of columns whose digits nobody adds up."""

_OF_ONE: dict[Kind, dict[str, str]] = {
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.INSTANT: {"type": "string", "format": "date-time"},
    Kind.TIME: {"type": "string", "format": "time"},
    Kind.UUID: {"type": "string", "format": "uuid"},
    Kind.OBJECT: {"type": "object"},
    Kind.ARRAY: {"type": "array"},
}
"""The schema of a field whose values are all of one kind; text is the rest."""


@dataclass(frozen=True, slots=True)
class ProposedType:
    """The type of one field.

    Attributes:
        schema: The JSON Schema of its values: ``type`` and, of text, perhaps ``format``. Empty if a
            JSON column has to take whatever comes.
        required: Whether every record had the field.
        as_text: Whether a mapping has to make text of its values first, since they are mixed.
        why: What has to be said of the choice; empty if the evidence says it.
    """

    schema: Mapping[str, Any] = field(default_factory=dict)
    required: bool = False
    as_text: bool = False
    why: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The JSON types that it allows, without null."""
        types = self.schema.get("type", ())
        return tuple(
            kind for kind in ([types] if isinstance(types, str) else types) if kind != "null"
        )


@dataclass(frozen=True, slots=True)
class ProposedColumn:
    """One column.

    Attributes:
        column: What the sample shows of it.
        type: Its type.
        name: Its name in the table.
        evidence: What the sample says of its type.
    """

    column: Column
    type: ProposedType
    name: str
    evidence: str

    @property
    def said(self) -> str:
        """The evidence, and why the type is what it is."""
        return "; ".join(filter(None, (self.evidence, self.type.why)))


def proposed_type(column: Column, records: int, *, cells: bool, named: bool = True) -> ProposedType:
    """The type for a field of which ``column`` says what the sample has.

    Args:
        column: What the sample shows.
        records: How many records the sample has.
        cells: Whether the values are the text of CSV.
        named: Whether the header names the column; the cells of one that it does not stay text.
    """
    required = column.present == records
    one = _of_cells(column, named=named) if cells else _of_values(column)
    schema = one.schema
    if _may_be_null(column, one, cells=cells) and "type" in schema:
        types = schema["type"]
        schema = {**schema, "type": [*([types] if isinstance(types, str) else types), "null"]}
    return ProposedType(schema, required, one.as_text, one.why)


def _may_be_null(column: Column, one: ProposedType, *, cells: bool) -> bool:
    if column.kinds[Kind.NULL] or not column.valued:
        return True
    typed = one.schema.get("type") != "string" or "format" in one.schema
    return cells and typed and bool(column.kinds[Kind.EMPTY])


_TEXT = {"type": "string"}


def _of_cells(column: Column, *, named: bool) -> ProposedType:
    """The type of a column of CSV, whose values are all text."""
    kinds = column.valued
    if not named:
        return ProposedType(_TEXT, why="the header does not name it")
    if not kinds:
        return ProposedType(_TEXT, why="nothing says its type")
    if kinds <= {Kind.INTEGER} and _DIGITS_BUT_NO_NUMBERS.intersection(words_of(column.name)):
        return ProposedType(_TEXT, why="text, as its name is that of no number")
    if Kind.LEADING_ZERO in kinds:
        return ProposedType(_TEXT, why="text keeps leading zeros")
    if Kind.LONG in kinds:
        return ProposedType(_TEXT, why="text, as so many digits rather name something")
    if Kind.QUOTED_EMPTY in kinds and Kind.TEXT not in kinds:
        return ProposedType(_TEXT, why="text, as an empty cell in quotes is")
    if len(kinds) > 1 and not kinds <= _NUMBERS:
        return _mixed(column)
    return ProposedType(_typed(kinds))


def _of_values(column: Column) -> ProposedType:
    """The type of a field of JSON, Parquet or Avro."""
    kinds = column.valued
    if Kind.EMPTY in column.kinds:
        kinds |= {Kind.TEXT}  # which no date is, and no number
    if not kinds:
        return ProposedType(_TEXT, why="nothing says its type")
    if Kind.NOT_FINITE in kinds:
        return ProposedType({}, why="JSON Schema has no type with NaN; a column of your own may")
    if Kind.BYTES in kinds:
        return ProposedType(_TEXT, why="create the table yourself to have a column of bytes")
    if Kind.DURATION in kinds:
        return ProposedType(_TEXT, why="create the table yourself to have a column of intervals")
    if len(kinds) == 1 or kinds <= _NUMBERS:
        return ProposedType(_typed(kinds))
    if kinds == {Kind.OBJECT, Kind.ARRAY}:
        return ProposedType({"type": ["object", "array"]})
    if all(_typed(frozenset({kind}))["type"] == "string" for kind in kinds):
        return _mixed(column)
    if kinds <= _SCALARS:
        return ProposedType(_TEXT, as_text=True, why="mixed, so the mapping above makes text of it")
    return ProposedType({}, why="mixed, so a column of JSON")


def _mixed(column: Column) -> ProposedType:
    """Text for values of several kinds; most values of most texts are nothing else, which says it."""
    return ProposedType(_TEXT, why="" if column.ranked[0] is Kind.TEXT else "mixed, so text")


def _typed(kinds: frozenset[Kind]) -> dict[str, Any]:
    """The schema of values that are all of these kinds, which are several only if they are numbers."""
    if kinds == {Kind.INTEGER}:
        return {"type": "integer"}
    if kinds <= _NUMBERS:
        return {"type": "number"}
    (kind,) = kinds
    return dict(_OF_ONE.get(kind, _TEXT))
