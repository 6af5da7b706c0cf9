"""Values of where a record came from: ``@source``, ``@offset``, ``@header.NAME``, ``@path.dt``, …"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from transforms.batch.record import RecordBatch
from transforms.errors import Reject
from transforms.mapping.field import CATEGORY
from transforms.mapping.operations import OriginValue

OF_BATCH = ("now", "source", "partition", "run", "path")
"""The kinds that are the same for all records of a batch."""

OF_RECORD = ("offset", "element", "key", "timestamp", "header")
"""The kinds that differ from record to record."""

NAMED = ("header", "path")
"""The kinds that take a name: ``@header.NAME``."""

_NULL = "__HIVE_DEFAULT_PARTITION__"
"""The value of a folder for null (https://cwiki.apache.org/confluence/display/Hive/DynamicPartitions)."""


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the records of one batch came from.

    Attributes:
        batch: The batch.
        run: The run's id, or empty.
        now: The time at which the batch is mapped.
    """

    batch: RecordBatch
    run: str = ""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def of_batch(self, value: OriginValue) -> Any:
        """A value of the whole batch.

        Raises:
            Reject: The path of the source has no such value.
        """
        if value.kind == "now":
            return _iso(self.now)
        if value.kind == "path":
            return self._of_path(value.name)
        span = self.batch.span
        return {"source": span.source, "partition": span.partition, "run": self.run}[value.kind]

    def of_record(self, value: OriginValue, index: int) -> Any:
        """A value of the record at ``index``.

        Raises:
            Reject: A key or header is not UTF-8 text.
        """
        batch = self.batch
        if value.kind == "offset":
            return batch.offsets[index]
        if value.kind == "element":
            return None if batch.elements is None else batch.elements[index]
        if value.kind == "timestamp":
            return None if batch.times is None else _instant(batch.times[index])
        if value.kind == "key":
            return _key(batch, index)
        headers = () if batch.headers is None else batch.headers[index]
        last = next((held for name, held in reversed(headers) if name == value.name), None)
        return _text(last, f"@header.{value.name}")

    def _of_path(self, name: str) -> str | None:
        source = self.batch.span.source
        path = (
            unquote(source) if source.startswith("file:") else source
        )  # keys of S3 are as they are
        folders = re.findall(rf"/{re.escape(name)}=([^/]*)(?=/)", path)
        if not folders:
            raise Reject(
                f"set @path.{name}: no folder {name}=… is in the path of {source}", CATEGORY
            )
        text = unquote(folders[-1])
        return None if text == _NULL else text


def _key(batch: RecordBatch, index: int) -> Any:
    """The key of a message: what it decodes to, otherwise its text."""
    keys = batch.keys if batch.key_values is None else batch.key_values
    key = None if keys is None else keys[index]
    return _text(key, "@key") if isinstance(key, bytes) else key


def _text(raw: bytes | None, what: str) -> str | None:
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Reject(f"set {what}: it is not UTF-8 text", CATEGORY) from None


def _instant(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    try:
        return _iso(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        raise Reject("set @timestamp: it is beyond the years 1 to 9999", CATEGORY) from None


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
