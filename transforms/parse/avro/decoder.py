"""Decode single values that were written with one schema of Avro."""

from __future__ import annotations

import json
from collections.abc import Sequence
from struct import error as StructError
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from transforms.errors import ObjectFailed, Reject
from transforms.parse.avro.columns import FEW, Columns
from transforms.parse.avro.nesting import is_deeper
from transforms.parse.avro.program import compiled
from transforms.parse.avro.reading import Unfit
from transforms.parse.avro.shapes import Shapes
from transforms.parse.registry.schema import Unusable

_BAD = (ValueError, IndexError, StructError, ArithmeticError, RecursionError)


class AvroDecoder:
    """Decodes values of one schema to plain Python values, as Avro's object files are read.

    Args:
        text: The schema, as JSON.
        references: Schemas that it refers to, each behind those that it refers to itself.
        max_depth: How deep a value of a type that contains itself may be nested.

    Raises:
        Unusable: The schema cannot be read, or its values take unbounded memory.
    """

    def __init__(self, text: str, references: Sequence[str], max_depth: int) -> None:
        names: dict[str, Any] = {}
        try:
            for reference in references:
                fastavro.parse_schema(json.loads(reference), names)
            parsed: Any = fastavro.parse_schema(json.loads(text), names)
            shapes = Shapes(names)
            shapes.of(parsed)
            self._read = compiled(parsed, names, max_depth)
            self._columns = None if shapes.recursive else _columns(parsed, names, max_depth)
        except ObjectFailed as error:
            raise Unusable(str(error)) from error
        except (SchemaParseException, UnknownType) as error:
            raise Unusable(f"it is no valid schema of Avro: {error}") from error
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise Unusable("it is no valid schema of Avro") from error
        self._recursive = shapes.recursive
        self._max_depth = max_depth

    def one(self, raw: bytes, at: int, *, quotes: bool = True) -> Any:
        """The value of ``raw`` from ``at`` on.

        Raises:
            Reject: ``malformed`` or ``too_deep``; with ``quotes``, the message may quote a value.
        """
        try:
            value, end = self._read(raw, at, 0)
        except RecursionError:
            raise self._too_deep() from None
        except _BAD as error:
            raise Reject(_reason(error, quotes), "malformed") from None
        if end != len(raw):
            raise Reject(_beyond(end, len(raw)), "malformed")
        if self._recursive and is_deeper(value, self._max_depth):
            raise self._too_deep()
        return value

    def many(self, raws: Sequence[bytes], at: int) -> list[Any] | None:
        """The values of ``raws`` from ``at`` on; None if one of them would be rejected."""
        read = self._read
        values = []
        try:
            if self._columns is not None and len(raws) >= FEW:
                return self._columns.values(raws, at)
            for raw in raws:
                value, end = read(raw, at, 0)
                if end != len(raw):
                    return None
                values.append(value)
        except _BAD:
            return None
        if self._recursive and any(is_deeper(value, self._max_depth) for value in values):
            return None
        return values

    def _too_deep(self) -> Reject:
        return Reject(f"nested deeper than {self._max_depth} levels", "too_deep")


def _columns(schema: Any, names: dict[str, Any], max_depth: int) -> Columns | None:
    """What reads many values at once; None if values of ``schema`` are nested too deep."""
    try:
        return Columns(schema, names, max_depth)
    except RecursionError:
        return None


def _reason(error: Exception, quotes: bool) -> str:
    if isinstance(error, IndexError | StructError):
        return "the message ends too early"
    if isinstance(error, UnicodeDecodeError):
        cut = ", or the message ends too early" if "end of data" in error.reason else ""
        return f"a text is not UTF-8{cut}"
    if isinstance(error, Unfit) or quotes:
        return str(error)
    return "a value cannot be read"


def _beyond(end: int, length: int) -> str:
    if end > length:
        return "the message ends too early"
    return f"{length - end:,} bytes are left over"
