"""The reads that the records of a step come from, in the graph of a pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

import apache_beam as beam

from transforms.errors import ConfigError
from transforms.read.read import ReadSplits

_written: WeakKeyDictionary[beam.pipeline.AppliedPTransform, bool] = WeakKeyDictionary()
"""The reads that have a write already, in pipelines that are being built."""


def reads_behind(batches: beam.PCollection) -> list[beam.pipeline.AppliedPTransform]:
    """Every application of ``ReadSplits`` that ``batches`` come from, through any steps."""
    reads: dict[int, beam.pipeline.AppliedPTransform] = {}
    seen: set[int] = set()
    ahead = [batches]
    while ahead:
        producer = ahead.pop().producer
        if producer is None or id(producer) in seen:
            continue
        seen.add(id(producer))
        read = next((each for each in _outwards(producer) if _is_read(each)), None)
        if read is None:
            ahead += producer.inputs
        else:
            reads[id(read)] = read
    return list(reads.values())


def claim_read(read: beam.pipeline.AppliedPTransform) -> None:
    """Record that ``read`` has its write.

    Raises:
        ConfigError: It has one already: the second would never see what the first has settled.
    """
    if read in _written:
        raise ConfigError(
            f"two writes stand behind the read {read.full_label!r}: it asks one ledger what is "
            "settled, so each would hide records from the other. Give each table a pipeline of its "
            "own, with its own ReadSplits"
        )
    _written[read] = True


def _is_read(applied: beam.pipeline.AppliedPTransform) -> bool:
    return isinstance(applied.transform, ReadSplits)


def _outwards(
    applied: beam.pipeline.AppliedPTransform,
) -> Iterator[beam.pipeline.AppliedPTransform]:
    """``applied`` and every composite transform around it."""
    current = applied
    while current is not None:
        yield current
        current = current.parent
