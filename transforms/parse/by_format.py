"""What reads the bytes of a record, by its format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from transforms.batch.record import Format
from transforms.parse import typed_rows
from transforms.parse.csv.rows import parse_row, parse_rows
from transforms.parse.json import object_or_refused, parse_object, parse_objects
from transforms.parse.raw import check_size, text_of
from transforms.parse.text import parse_text

MAX_BYTES = 1 << 20
"""The longest record, unless the pipeline says otherwise."""

MAX_DEPTH = 100
"""How deep a record is nested at most, unless the pipeline says otherwise."""

One = Callable[[bytes], Any]
"""Reads one record, or raises ``Reject``."""

Many = Callable[[Sequence[bytes]], Sequence[Any] | None]
"""Reads several good records; None if one of them would be rejected."""


def readers(
    format: Format,  # noqa: A002 - the concept's name
    max_bytes: int,
    max_depth: int,
    *,
    quotes: bool = True,
    raises: bool = True,
) -> tuple[One, Many]:
    """What reads one record, and what reads a chunk of good ones.

    Args:
        format: How to read them.
        max_bytes: A longer record is rejected.
        max_depth: A JSON record that is nested deeper is rejected.
        quotes: Whether a message may quote what was read.
        raises: Whether what reads one record always raises ``Reject``; otherwise it may return
            ``Refused``.

    Raises:
        ValueError: The format is unknown (a defect of the reader).
    """
    parse_one = partial(parse_object, max_bytes=max_bytes, max_depth=max_depth, quotes=quotes)
    if format.encoding and format.name == "json":

        def parse_encoded(raw: bytes) -> Any:
            return parse_one(text_of(raw, format.encoding, quotes=quotes).encode())

        return parse_encoded, (lambda raws: None)
    if format.name == "json":
        bounds: dict[str, Any] = {"max_bytes": max_bytes, "max_depth": max_depth}
        refuse_one = partial(object_or_refused, **bounds, quotes=quotes)
        return (parse_one if raises else refuse_one), partial(parse_objects, **bounds)
    if format.name in typed_rows.TYPED:
        # Earlier versions kept a row as a plain JSON object.
        return (
            lambda raw: (
                parse_one(raw) if raw.startswith(b"{") else _parse_typed(raw, max_bytes, quotes)
            ),
            lambda raws: typed_rows.decode_all(raws) if max(map(len, raws)) <= max_bytes else None,
        )
    if format.name == "csv":
        return (
            partial(parse_row, max_bytes=max_bytes, format=format, quotes=quotes),
            partial(parse_rows, max_bytes=max_bytes, format=format),
        )
    if format.name == "text":
        return partial(parse_text, max_bytes=max_bytes, quotes=quotes), (lambda raws: None)
    raise ValueError(
        f"unknown record format {format.name!r}; known: json, csv, text, parquet, avro"
    )


def _parse_typed(raw: bytes, max_bytes: int, quotes: bool) -> dict[str, Any]:
    check_size(raw, max_bytes)
    return typed_rows.decode(raw, quotes=quotes)
