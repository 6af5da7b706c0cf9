"""The reads, and other steps, that records come from, in the graph of a pipeline."""

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
    return applied_behind(batches, ReadSplits)


def applied_behind(
    batches: beam.PCollection, kind: type[beam.PTransform]
) -> list[beam.pipeline.AppliedPTransform]:
    """The nearest applications of a ``kind`` of transform that ``batches`` come from."""
    nearest: dict[int, beam.pipeline.AppliedPTransform] = {}
    seen: set[int] = set()
    ahead = [batches]
    while ahead:
        producer = ahead.pop().producer
        if producer is None or id(producer) in seen:
            continue
        seen.add(id(producer))
        around = (each for each in _outwards(producer) if isinstance(each.transform, kind))
        applied = next(around, None)
        if applied is None:
            ahead += producer.inputs
        else:
            nearest[id(applied)] = applied
    return list(nearest.values())


def claim_read(read: beam.pipeline.AppliedPTransform) -> None:
    """Record that ``read`` has its write.

    Raises:
        ConfigError: It has one already: the second would never see what the first has settled.
    """
    if read in _written:
        raise ConfigError(
            f"two writes stand behind the read {read.full_label!r}: it asks one ledger what is "
            "settled, so each would hide records from the other. Several tables take routes and "
            "one write, RouteToSql (docs/routes.md), or a ReadSplits and a pipeline for each"
        )
    _written[read] = True


def _outwards(
    applied: beam.pipeline.AppliedPTransform,
) -> Iterator[beam.pipeline.AppliedPTransform]:
    """``applied`` and every composite transform around it."""
    current = applied
    while current is not None:
        yield current
        current = current.parent
