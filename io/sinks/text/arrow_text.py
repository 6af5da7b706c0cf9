r"""Columns of Arrow as the lines that PostgreSQL's COPY reads, without a value of Python for each cell.

Each text is the one that ``copy_text`` writes, or one that the column's type takes for the same value. Where
that is not sure, the cells are encoded one column at a time as ``copy_text`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sinks.text.copy_text import ESCAPES, INTEGER_TYPES, NULL, Encoder
from sinks.text.date_text import are_usual, beginning, checked_type
from transforms.parse.columns.arrow_cells import ArrowCells

JSONB_TEXT = "jsonb as text"
"""Stands for the type of a ``jsonb`` column whose cells are texts of JSON, not values."""

PIECE = 5_000
"""How many lines are made at once."""

_TEXT_TYPES = frozenset({"text", "varchar", "bpchar", "uuid", "citext", "name"})
_INSTANTS = frozenset({"timestamp", "timestamptz"})
_FLOATS = frozenset({"float4", "float8"})
_JSON_ESCAPES = tuple(bytes((byte,)) for byte in (*range(0x20), *b'"\\'))


def lines_of(
    kinds: Sequence[str], cells: Sequence[Sequence[Any]], encoders: Sequence[Encoder]
) -> bytes:
    """The lines of rows, as one piece of data.

    Args:
        kinds: The types of the columns, or ``JSONB_TEXT``.
        cells: The cells of each column, as many in all of them.
        encoders: What encodes the cells of each, where Arrow does not.

    Raises:
        ValueError, TypeError, ArithmeticError: As the encoders.
    """
    pieces = []
    for start in range(0, len(cells[0]), PIECE):
        texts = [
            _texts(kind, column[start : start + PIECE], encoder)
            for kind, column, encoder in zip(kinds, cells, encoders, strict=True)
        ]
        texts[-1] = pc.binary_join_element_wise(texts[-1], "", "\n")
        pieces.append(data_of(pc.binary_join_element_wise(*texts, "\t")))
    return b"".join(pieces)


def _texts(kind: str, cells: Sequence[Any], encoder: Encoder) -> Any:
    """The texts of cells, escaped, and none of them null."""
    if isinstance(cells, ArrowCells):
        array: Any = cells.array
        written = _written(kind, array)
        texts = None if written is None else _escaped(written)
        if texts is not None:
            return pc.fill_null(texts, NULL) if texts.null_count else texts
    return pa.array(encoder(list(cells)), pa.string())


def _written(kind: str, array: Any) -> Any:
    """The texts of the values of ``array`` for a column of a type; None where Arrow's differ."""
    types, arrow_type = pa.types, array.type
    if types.is_string(arrow_type):
        return array if _is_taken(kind, array) else None
    if kind == "jsonb":
        return json_of(array) if types.is_struct(arrow_type) else None
    if types.is_integer(arrow_type):
        fits = kind in INTEGER_TYPES or kind in _TEXT_TYPES or kind in {"numeric", *_FLOATS}
        return array.cast(pa.string()) if fits else None
    if types.is_boolean(arrow_type):
        return array.cast(pa.string()) if kind == "bool" else None
    if types.is_decimal128(arrow_type):
        return array.cast(pa.string()) if kind in {"numeric", *_FLOATS} else None
    if types.is_float64(arrow_type):
        return array.cast(pa.string()) if kind in _FLOATS else None
    if types.is_timestamp(arrow_type) and kind in _INSTANTS:
        texts = array.view(pa.int64()).view(pa.timestamp(arrow_type.unit)).cast(pa.string())
        if arrow_type.tz is None:
            return texts
        # Arrow takes fifteen times as long for instants that have a zone.
        return pc.binary_join_element_wise(texts, "Z", "")
    if types.is_date32(arrow_type):
        return array.cast(pa.string()) if kind in {"date", *_INSTANTS} else None
    return None


def _is_taken(kind: str, texts: Any) -> bool:
    """Whether a column of a type takes ``texts`` as they are, apart from what COPY escapes."""
    if kind in ("json", "jsonb"):
        return False  # there, a text is a string of JSON
    dates = checked_type(kind)
    if dates is None:
        return True
    beginnings = pc.utf8_slice_codeunits(texts, 0, beginning(dates)).unique().drop_null()
    return are_usual(dates, beginnings.to_pylist())


def json_of(array: Any, before: str = "") -> Any:
    """Records as texts of JSON; null where they are null. None where a value has to be escaped.

    Args:
        array: The records.
        before: What stands before the text of each.
    """
    parts: list[Any] = [before]
    if not _add_record(array, parts):
        return None
    # In one step: each one copies all that it joins.
    whole = pc.binary_join_element_wise(*_with_literals_joined(parts), "")
    return pc.if_else(array.is_valid(), whole, None) if array.null_count else whole


def _add_record(array: Any, parts: list[Any]) -> bool:
    """Add the pieces of records to ``parts``; False where a value has to be escaped."""
    arrow_type = array.type
    if not arrow_type.num_fields:
        return False
    for number, part in enumerate(array.flatten()):
        name = arrow_type.field(number).name
        if not name.isascii() or not name.isidentifier():
            return False
        parts.append(f'{"," if number else "{"}"{name}":')
        if not _add(part, parts):
            return False
    parts.append("}")
    return True


def _add(array: Any, parts: list[Any]) -> bool:
    """Add the pieces of values to ``parts``; False where one has to be escaped."""
    types, arrow_type = pa.types, array.type
    if types.is_struct(arrow_type):
        if not array.null_count:
            return _add_record(array, parts)
        texts = json_of(array)
        if texts is None:
            return False
        parts.append(pc.fill_null(texts, "null"))
        return True
    if types.is_string(arrow_type):
        data = data_of(array)
        if any(byte in data for byte in _JSON_ESCAPES):
            return False
        if array.null_count:
            parts.append(pc.fill_null(pc.binary_join_element_wise('"', array, '"', ""), "null"))
        else:
            parts += ['"', array, '"']
        return True
    if (
        types.is_integer(arrow_type)
        or types.is_boolean(arrow_type)
        or types.is_decimal128(arrow_type)
    ):
        texts = array.cast(pa.string())
        parts.append(pc.fill_null(texts, "null") if texts.null_count else texts)
        return True
    return False


def _with_literals_joined(parts: Sequence[Any]) -> list[Any]:
    joined: list[Any] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def _escaped(texts: Any) -> Any:
    """``texts`` as COPY reads them; None if one has NUL, of which the exact way says which."""
    data = data_of(texts)
    if b"\0" in data:
        return None
    for character, written in ESCAPES:
        if character.encode() in data:
            texts = pc.replace_substring(texts, character, written)
    return texts


def data_of(texts: Any) -> bytes:
    """The bytes of all texts, one after another, and of what is null."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return b""
    bounds = pa.Array.from_buffers(pa.int32(), len(texts) + 1, [None, offsets], offset=texts.offset)
    low, high = bounds[0].as_py(), bounds[len(texts)].as_py()
    piece: bytes = data.slice(low, high - low).to_pybytes()
    return piece
