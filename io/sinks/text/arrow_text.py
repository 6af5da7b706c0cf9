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
from transforms.parse.columns.arrow_cells import ArrowCells

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
        kinds: The types of the columns.
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
        pieces.append(_data(pc.binary_join_element_wise(*texts, "\t")))
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
    if kind == "jsonb":
        return _json(array) if types.is_struct(arrow_type) else None
    if types.is_string(arrow_type):
        return array if kind in _TEXT_TYPES else None
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


def _json(array: Any) -> Any:
    """Values as texts of JSON; null where they are null. None where one has to be escaped."""
    types, arrow_type = pa.types, array.type
    if types.is_string(arrow_type):
        data = _data(array)
        if any(byte in data for byte in _JSON_ESCAPES):
            return None
        return pc.binary_join_element_wise('"', array, '"', "")
    if (
        types.is_integer(arrow_type)
        or types.is_boolean(arrow_type)
        or types.is_decimal128(arrow_type)
    ):
        return array.cast(pa.string())
    if not types.is_struct(arrow_type) or not arrow_type.num_fields:
        return None
    parts: list[Any] = []
    for number, part in enumerate(array.flatten()):
        name = arrow_type.field(number).name
        if not name.isascii() or not name.isidentifier():
            return None
        text = _json(part)
        if text is None:
            return None
        parts += [f'{"," if number else "{"}"{name}":', pc.fill_null(text, "null")]
    whole = pc.binary_join_element_wise(*parts, "}", "")
    return pc.if_else(array.is_valid(), whole, None) if array.null_count else whole


def _escaped(texts: Any) -> Any:
    """``texts`` as COPY reads them; None if one has NUL, of which the exact way says which."""
    data = _data(texts)
    if b"\0" in data:
        return None
    for character, written in ESCAPES:
        if character.encode() in data:
            texts = pc.replace_substring(texts, character, written)
    return texts


def _data(texts: Any) -> bytes:
    """The bytes of all texts, one after another, and of what is null."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return b""
    bounds = pa.Array.from_buffers(pa.int32(), len(texts) + 1, [None, offsets], offset=texts.offset)
    low, high = bounds[0].as_py(), bounds[len(texts)].as_py()
    piece: bytes = data.slice(low, high - low).to_pybytes()
    return piece
