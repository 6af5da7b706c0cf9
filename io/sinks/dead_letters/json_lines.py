"""A dead letter as one line of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from transforms.batch.expansion import text_of
from transforms.batch.record import Failure, Format
from transforms.parse.json_text import encode_decimal_text

CHUNK_BYTES = 16 << 20
"""Lines are written in chunks of about this many bytes."""


def json_line(target: str, failure: Failure, at: datetime) -> bytes:
    """``failure`` as a JSON object and a newline.

    Bytes are ``{"text": …}`` if they are UTF-8, otherwise ``{"base64": …}``; headers are a list,
    because their names may repeat.

    Args:
        target: The table that the record was meant for.
        failure: The dead letter.
        at: When the record was given up, in UTC.
    """
    document: dict[str, Any] = {
        "at": at.isoformat(timespec="milliseconds"),
        "target": target,
        "source": failure.origin.source,
        "partition": failure.origin.partition,
        "offset": failure.origin.offset,
        **({} if failure.origin.element is None else {"element": failure.origin.element}),
        **({"expansion": expansion} if (expansion := text_of(failure.origin.expansion)) else {}),
        "stage": failure.stage,
        "category": failure.category,
        "exception": failure.exception,
        "message": failure.message,
        "sqlstate": failure.sqlstate,
        "stack": failure.stack,
        "event_time": failure.event_time,
        "key": _bytes(failure.key),
        "raw": _bytes(failure.raw),
        "headers": [{"name": name, "value": _bytes(value)} for name, value in failure.headers],
        "format": _format(failure.format),
    }
    try:
        return encode_decimal_text(document) + b"\n"
    except UnicodeEncodeError:
        return encode_decimal_text(_without_surrogates(document)) + b"\n"


def chunks(lines: Iterable[bytes], size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Join ``lines`` into chunks of at most ``size`` bytes; a longer line is a chunk of its own.

    >>> list(chunks([b"1\\n", b"2\\n", b"345\\n"], 4))
    [b'1\\n2\\n', b'345\\n']
    """
    chunk: list[bytes] = []
    length = 0
    for line in lines:
        if chunk and length + len(line) > size:
            yield b"".join(chunk)
            chunk, length = [], 0
        chunk.append(line)
        length += len(line)
    if chunk:
        yield b"".join(chunk)


def _format(format_: Format) -> dict[str, Any]:
    """How to read the raw bytes; what only some CSV files need is left out for the others."""
    document: dict[str, Any] = {
        "name": format_.name,
        "columns": format_.columns,
        "delimiter": format_.delimiter,
    }
    usual = Format(format_.name)
    for name in ("quote", "escape", "nulls", "encoding"):
        if getattr(format_, name) != getattr(usual, name):
            document[name] = getattr(format_, name)
    return document


def _bytes(value: bytes | None) -> dict[str, str | bytes] | None:
    if value is None:
        return None
    try:
        return {"text": value.decode()}
    except UnicodeDecodeError:
        return {"base64": value}  # msgspec writes bytes so


def _without_surrogates(value: Any) -> Any:
    """``value`` with question marks for lone surrogates, which UTF-8 cannot encode."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {name: _without_surrogates(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_surrogates(each) for each in value]
    return value
