"""A dead letter as one line of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from transforms.batch.record import Failure, Format
from transforms.parse.json_text import encode_decimal_text

CHUNK_BYTES = 16 << 20
"""Lines are written in pieces of about so many bytes."""


def line_of(target: str, failure: Failure, at: datetime) -> bytes:
    """One JSON object and its newline.

    Bytes are ``{"text": …}`` where they are UTF-8, else ``{"base64": …}``; headers are a list,
    since their names may repeat.

    Args:
        target: The table that the record was meant for.
        failure: The dead letter.
        at: When it was given up, in UTC.
    """
    written: dict[str, Any] = {
        "at": at.isoformat(timespec="milliseconds"),
        "target": target,
        "source": failure.origin.source,
        "partition": failure.origin.partition,
        "offset": failure.origin.offset,
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
        return encode_decimal_text(written) + b"\n"
    except UnicodeEncodeError:
        return encode_decimal_text(_without_surrogates(written)) + b"\n"


def chunks(lines: Iterable[bytes], size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """``lines`` put together up to ``size`` bytes; a longer line stands alone.

    >>> list(chunks([b"1\\n", b"2\\n", b"345\\n"], 4))
    [b'1\\n2\\n', b'345\\n']
    """
    held: list[bytes] = []
    length = 0
    for line in lines:
        if held and length + len(line) > size:
            yield b"".join(held)
            held, length = [], 0
        held.append(line)
        length += len(line)
    if held:
        yield b"".join(held)


def _format(format_: Format) -> dict[str, Any]:
    """How the raw bytes are read; what only some CSV files need is left out elsewhere."""
    written: dict[str, Any] = {
        "name": format_.name,
        "columns": format_.columns,
        "delimiter": format_.delimiter,
    }
    usual = Format(format_.name)
    for name in ("quote", "escape", "nulls", "encoding"):
        if getattr(format_, name) != getattr(usual, name):
            written[name] = getattr(format_, name)
    return written


def _bytes(value: bytes | None) -> dict[str, str | bytes] | None:
    if value is None:
        return None
    try:
        return {"text": value.decode()}
    except UnicodeDecodeError:
        return {"base64": value}  # as which msgspec writes bytes


def _without_surrogates(value: Any) -> Any:
    """``value`` with question marks for lone surrogates, which JSON in UTF-8 cannot hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {name: _without_surrogates(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_surrogates(each) for each in value]
    return value
