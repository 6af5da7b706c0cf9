"""Divide a batch in two whose spans abut. Pure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from transforms.batch.content import Content
from transforms.batch.record import RecordBatch, Span


def divided(
    batch: RecordBatch, offset: int, content: Content | None = None
) -> tuple[RecordBatch, RecordBatch]:
    """What ``batch`` has before ``offset``, and what it has from there on.

    The second part keeps what the span says of the end of the partition.

    Args:
        batch: A batch of a source; jobs are settled as a whole.
        offset: Where in its span a message or record begins.
        content: The bytes of the span before ``offset``; None if they are not known, and then
            those behind it are not known either.
    """
    span = batch.span
    index = bisect_left(batch.offsets, offset)
    after = span.content.without(content) if span.content and content else None
    before = content if span.content else None
    return (
        _part(batch, 0, index, replace(span, end=offset, final=False, content=before)),
        _part(batch, index, len(batch.raws), replace(span, start=offset, content=after)),
    )


def _part(batch: RecordBatch, low: int, high: int, span: Span) -> RecordBatch:
    values = None if batch.values is None else batch.values[low:high]
    return replace(
        batch.keep(range(low, high), values),
        span=span,
        failures=tuple(
            failure
            for failure in batch.failures
            if span.start <= failure.origin.offset < span.end
            or (failure.origin.offset >= span.end and span.end == batch.span.end)
        ),
        filtered=tuple(at for at in batch.filtered if span.start <= at < span.end),
    )
