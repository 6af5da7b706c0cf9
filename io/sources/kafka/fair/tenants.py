"""Whose a message is: the value of a field, or the key of the message."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import msgspec

from sources.files.framing import BOM
from transforms.batch.record import RecordBatch

KEY = "@key"
"""Stands for the key of a message, where a field could stand."""

Tenants = Callable[[RecordBatch], Sequence[Hashable]]
"""Names the tenant of each record of a batch; None for those of nobody."""

_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


def tenants_of(field: str) -> Tenants:
    """What names the tenants of messages by ``field``: a field at the top of a JSON object, or ``@key``.

    Messages without it belong to nobody, and so do those that are no JSON object, and those whose field
    is null, an object or an array.
    """
    return _by_key if field == KEY else _ByField(field)


def _by_key(batch: RecordBatch) -> Sequence[Hashable]:
    return [None] * len(batch.raws) if batch.keys is None else batch.keys


class _ByField:
    """Reads one field of each message; the others are passed over, which costs a part of parsing them."""

    def __init__(self, field: str) -> None:
        kind = str | int | float | bool | None
        shape = msgspec.defstruct("Message", [("tenant", kind, None)], rename={"tenant": field})
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(shape).decode

    def __call__(self, batch: RecordBatch) -> Sequence[Hashable]:
        decode = self._decode
        try:
            return [decode(raw).tenant for raw in batch.raws]
        except _UNREADABLE:
            return [self._tenant(raw) for raw in batch.raws]

    def _tenant(self, raw: bytes) -> Hashable:
        try:
            tenant: Hashable = self._decode(raw.removeprefix(BOM)).tenant
        except _UNREADABLE:
            return None
        return tenant
