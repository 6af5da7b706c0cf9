"""The operations of a mapping, as frozen values: what ``spec`` reads and ``templates`` writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from transforms.mapping.paths import Steps

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Select:
    """Keep the fields ``names``, and no others."""

    names: Names


@dataclass(frozen=True, slots=True)
class Drop:
    """Leave out the fields ``names``; ``hidden`` says that nobody may see them."""

    names: Names
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Rename:
    """Give fields other names, all at once: pairs of old and new name."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is the same for all records; ``value`` is plain data."""

    value: Any


@dataclass(frozen=True, slots=True)
class OriginValue:
    """A value of where a record came from: ``kind`` as in ``@kind``, or ``@kind.name``."""

    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Assign:
    """Set fields to values."""

    pairs: tuple[tuple[str, Constant | OriginValue], ...]


@dataclass(frozen=True, slots=True)
class TakePath:
    """Set a field to what is at a path within the record."""

    name: str
    steps: Steps


@dataclass(frozen=True, slots=True)
class Flatten:
    """Put the parts of an object in its place; of the whole record, if ``field`` is None.

    ``depth`` is how many levels of objects are opened; None for all.
    """

    field: str | None
    separator: str
    depth: int | None


@dataclass(frozen=True, slots=True)
class Numeric:
    """A cast to ``integer``, ``number`` or ``decimal``; empty signs are those of plain numbers."""

    to: Literal["integer", "number", "decimal"]
    thousands: str = ""
    point: str = "."


@dataclass(frozen=True, slots=True)
class Truth:
    """A cast to a boolean; further words, in lower case."""

    true: Names = ()
    false: Names = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """A cast to a date or a timestamp.

    Attributes:
        to: Which.
        formats: How a text is written; ``iso`` for ISO 8601.
        epoch: The unit of a number since 1970, or empty.
        zone: Where a time without a zone was taken; of a date, where the day of an epoch is.
    """

    to: Literal["date", "timestamp"]
    formats: Names = ("iso",)
    epoch: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """A cast to ``text``, or from text to the ``json`` that it is."""

    to: Literal["text", "json"]


CastTo = Numeric | Truth | Moment | Written


@dataclass(frozen=True, slots=True)
class Cast:
    """Give fields other types."""

    pairs: tuple[tuple[str, CastTo], ...]


@dataclass(frozen=True, slots=True)
class Default:
    """Set fields that are absent or null."""

    pairs: tuple[tuple[str, Constant | OriginValue], ...]


@dataclass(frozen=True, slots=True)
class Trim:
    """Take the blanks off both ends of texts."""

    names: Names


@dataclass(frozen=True, slots=True)
class Case:
    """Write texts in one case."""

    pairs: tuple[tuple[str, Literal["upper", "lower"]], ...]


@dataclass(frozen=True, slots=True)
class Hash:
    """Replace fields by their SHA-256, or by an HMAC with the key behind a reference."""

    pairs: tuple[tuple[str, str], ...]
    """The field, and the reference to its key; empty for a plain hash."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a mask leaves: so many characters at both ends, the others replaced by ``sign``."""

    first: int = 0
    last: int = 0
    sign: str = "*"


@dataclass(frozen=True, slots=True)
class Mask:
    """Replace characters of fields."""

    pairs: tuple[tuple[str, Kept], ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Keep the records for which a JMESPath expression is true."""

    expression: str


@dataclass(frozen=True, slots=True)
class Compute:
    """Set a field to what a JMESPath expression gives."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class Unnest:
    """Make one record of each element of an array.

    Attributes:
        field: The array.
        into: The field that gets the element; empty to merge the element's fields into the record.
        index: The field that gets the element's number, from 0; empty for none.
    """

    field: str
    into: str
    index: str = ""


Operation = (
    Select
    | Drop
    | Rename
    | Assign
    | TakePath
    | Flatten
    | Cast
    | Default
    | Trim
    | Case
    | Hash
    | Mask
    | Filter
    | Compute
    | Unnest
)
