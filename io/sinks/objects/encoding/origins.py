"""Where the records of an object came from: the columns that tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from transforms.batch.expansion import Expansion, text_of
from transforms.batch.record import RecordBatch

ORIGIN_FIELDS: tuple[tuple[str, Any], ...] = (
    ("ingest_source", pa.string()),
    ("ingest_partition", pa.string()),
    ("ingest_offset", pa.int64()),
)
"""The columns of the origin, and their types in Arrow."""

ELEMENT_FIELDS: tuple[tuple[str, Any], ...] = (
    ("ingest_element", pa.int64()),
    ("ingest_expansion", pa.string()),
)
"""What tells the records of one offset apart, where it may have several."""


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins of records of one partition, in the parallel lists of a batch.

    Attributes:
        source: As in ``Origin``.
        partition: As in ``Origin``.
        offsets: One for each record.
        elements: As in ``RecordBatch``.
        expansions: As in ``RecordBatch``.
    """

    source: str
    partition: str
    offsets: Sequence[int]
    elements: Sequence[int | None] | None = None
    expansions: Sequence[Expansion] | None = None

    @classmethod
    def of(cls, batch: RecordBatch) -> Origins:
        """The origins of the good records of ``batch``."""
        span = batch.span
        return cls(span.source, span.partition, batch.offsets, batch.elements, batch.expansions)

    def pick(self, indices: Sequence[int]) -> Origins:
        """The origins at ``indices``."""
        elements, expansions = self.elements, self.expansions
        return Origins(
            self.source,
            self.partition,
            [self.offsets[i] for i in indices],
            None if elements is None else [elements[i] for i in indices],
            None if expansions is None else [expansions[i] for i in indices],
        )

    @classmethod
    def joined(cls, parts: Sequence[Origins]) -> Origins:
        """Those of several lists of records of the same partition, one behind the other."""
        if len(parts) == 1:
            return parts[0]
        first = parts[0]
        offsets = [offset for part in parts for offset in part.offsets]
        elements: list[int | None] | None = None
        if any(part.elements is not None for part in parts):
            elements = []
            for part in parts:
                elements += part.elements or [None] * len(part.offsets)
        expansions: list[Expansion] | None = None
        if any(part.expansions is not None for part in parts):
            expansions = []
            for part in parts:
                expansions += part.expansions or [()] * len(part.offsets)
        return cls(first.source, first.partition, offsets, elements, expansions)

    def columns(self, *, elements: bool) -> list[pa.Array[Any]]:
        """Arrow's columns of ``ORIGIN_FIELDS`` and, with ``elements``, of ``ELEMENT_FIELDS``."""
        count = len(self.offsets)
        columns: list[pa.Array[Any]] = [
            pa.repeat(self.source, count),
            pa.repeat(self.partition, count),
            pa.array(self.offsets, pa.int64()),
        ]
        if elements:
            numbers = [number or 0 for number in self.elements or [None] * count]
            texts = [text_of(each) or None for each in self.expansions or [()] * count]
            columns += [pa.array(numbers, pa.int64()), pa.array(texts, pa.string())]
        return columns

    @property
    def several(self) -> bool:
        """Whether an offset may have several records here."""
        return self.elements is not None or self.expansions is not None
