"""Decode the messages of a batch, those of each schema together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any
from uuid import UUID

from transforms.batch.record import Headers, RecordBatch
from transforms.errors import Reject
from transforms.parse.registry.decoders import Decoders
from transforms.parse.registry.schema import SchemaId, UnknownSchema, named
from transforms.parse.registry.wire import BY_GUID, BY_NUMBER, VALUE_HEADER, in_headers

One = Callable[[bytes], Any]

_PREFIX = itemgetter(slice(BY_NUMBER))

_PENDING = object()
"""Stands for a value that is not decoded yet."""


@dataclass(slots=True)
class Named:
    """Messages of one schema: where they are in their batch, their bytes, and where bodies begin."""

    at: int
    indices: Sequence[int] = field(default_factory=list)
    raws: Sequence[bytes] = field(default_factory=list)


def is_of_topic(batch: RecordBatch) -> bool:
    """Whether the records of a batch are messages that may name a schema."""
    return batch.format.name == "json" and batch.span.source.startswith("kafka:")


def by_schema(
    raws: Sequence[bytes | None], headers: Sequence[Headers] | None, header: str
) -> dict[SchemaId, list[Named]]:
    """Which messages name which schema; those that name none are left out.

    Args:
        raws: The messages, or their keys.
        headers: The headers of each.
        header: The one that names a schema.
    """
    if headers is None and (only := _of_one_schema(raws)) is not None:
        return only
    prefixes: defaultdict[bytes, list[int]] = defaultdict(list)
    for index, raw in enumerate(raws):
        if raw:
            prefixes[raw[:BY_NUMBER]].append(index)
    result: defaultdict[SchemaId, list[Named]] = defaultdict(list)
    in_header: set[int] = set()
    if headers is not None:
        for index, raw in enumerate(raws):
            body = in_headers(headers[index], header, raw) if raw is not None else None
            if body is not None:
                in_header.add(index)
                result[body[0]].append(Named(0, [index], [body[1]]))
    for prefix, indices in prefixes.items():
        if prefix[0] > 1 or len(prefix) < BY_NUMBER:
            continue
        if in_header:
            indices = [index for index in indices if index not in in_header]
        taken: list[bytes] = [raws[index] or b"" for index in indices]
        if prefix[0] == 0:
            id_ = int.from_bytes(prefix[1:], "big")
            if taken:
                result[id_].append(Named(BY_NUMBER, indices, taken))
            continue
        for index, raw in zip(indices, taken, strict=True):
            if len(raw) >= BY_GUID:
                result[UUID(bytes=raw[1:BY_GUID])].append(Named(BY_GUID, [index], [raw]))
    return result


def _of_one_schema(raws: Sequence[bytes | None]) -> dict[SchemaId, list[Named]] | None:
    """What ``by_schema`` returns where all messages begin with one number, as they mostly do."""
    messages: list[bytes] = [raw for raw in raws if raw]
    prefixes = set(map(_PREFIX, messages)) if len(messages) == len(raws) else set()
    if len(prefixes) != 1:
        return None
    (prefix,) = prefixes
    if prefix[0] or len(prefix) < BY_NUMBER:
        return None
    return {int.from_bytes(prefix[1:], "big"): [Named(BY_NUMBER, range(len(raws)), messages)]}


class Values:
    """The values of the messages of a batch.

    Args:
        batch: The messages.
        decoders: Of the registry.
        plain: Reads a message that names no schema.
        longest: The longest message that is decoded.
        quotes: Whether messages of failures may quote what was read.
    """

    def __init__(
        self, batch: RecordBatch, decoders: Decoders, plain: One, longest: int, *, quotes: bool
    ) -> None:
        self._raws = batch.raws
        self._plain = plain
        self._decoders = decoders
        self._quotes = quotes
        self._longest = longest
        self._ready: list[Any] = [_PENDING] * len(batch.raws)
        self._all_are_ready = False
        self._of: dict[int, tuple[SchemaId, bytes, int]] = {}
        for id_, groups in by_schema(batch.raws, batch.headers, VALUE_HEADER).items():
            for group in groups:
                self._decode(id_, group)

    def _decode(self, id_: SchemaId, group: Named) -> None:
        values = None
        if max(map(len, group.raws)) <= self._longest:
            try:
                values = self._decoders.get(id_).many(group.raws, group.at)
            except UnknownSchema:
                values = None
        if values is not None and set(map(type, values)) == {dict}:
            if len(values) == len(self._ready):
                self._ready, self._all_are_ready = values, True
                return
            for index, value in zip(group.indices, values, strict=True):
                self._ready[index] = value
            return
        for index, raw in zip(group.indices, group.raws, strict=True):
            self._of[index] = id_, raw, group.at

    @property
    def none_is_named(self) -> bool:
        """Whether no message names a schema."""
        return (
            not self._all_are_ready
            and not self._of
            and all(value is _PENDING for value in self._ready)
        )

    def one(self, index: int) -> Any:
        """The value of the message at ``index``.

        Raises:
            Reject: It cannot be decoded.
            UnknownSchema: The registry has no such schema.
        """
        value = self._ready[index]
        if value is not _PENDING:
            return value
        if index not in self._of:
            return self._plain(self._raws[index])
        id_, raw, at = self._of[index]
        if len(raw) > self._longest:
            return self._plain(raw)  # which says that it is too large
        try:
            value = self._decoders.get(id_).one(raw, at, quotes=self._quotes)
        except Reject as error:
            raise Reject(f"{named(id_)}: {error.message}", error.category) from None
        except UnknownSchema as error:
            raise UnknownSchema(f"{named(id_)}: {error}") from None
        if type(value) is not dict:
            raise Reject(f"{named(id_)}: expected a record, got a single value", "not_object")
        return value

    def many(self, indices: Sequence[int]) -> list[Any] | None:
        """The values of messages that follow each other; None if ``one`` is needed."""
        values = self._ready[indices[0] : indices[-1] + 1]
        if self._all_are_ready:
            return values
        return None if any(value is _PENDING for value in values) else values
