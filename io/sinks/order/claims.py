"""What the records of a commit say of their keys. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

from sinks.order.state import Claim, Place, element_of
from transforms.batch.record import Change, RecordBatch

_PLAIN = Change()


def claims_of(batches: Sequence[RecordBatch]) -> list[Claim]:
    """The claim of each record of ``batches``, in their order."""
    claims: list[Claim] = []
    for batch in batches:
        source, partition = batch.span.source, batch.span.partition
        columns = zip(
            batch.offsets,
            batch.raws,
            repeat(None) if batch.elements is None else batch.elements,
            repeat(()) if batch.expansions is None else batch.expansions,
            repeat(_PLAIN) if batch.changes is None else batch.changes,
            strict=False,  # what a batch lacks is repeated without end
        )
        for offset, raw, element, expansion, change in columns:
            number = element_of(element, tuple(branch.number for branch in expansion))
            bare = change.delete and change.position is None and not raw
            place = Place(source, partition, offset, number)
            claims.append(Claim(change.position, place, change.delete, bare))
    return claims
