"""Arithmetic of the ledger: what a batch still has to settle, and how spans merge. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from transforms.batch.content import Content
from transforms.batch.counts import Counts
from transforms.batch.coverage import Coverage, Range, merge
from transforms.batch.record import RecordBatch, Span
from transforms.errors import ConfigError

Partition = tuple[str, str]
"""Source and partition."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """A settled range ``[start, end)`` of one partition, what it held and what its records became."""

    start: int
    end: int
    final: bool = False
    counts: Counts = Counts()  # noqa: RUF009 - frozen
    content: Content | None = None


def coverage_of(settled: Iterable[Settlement]) -> Coverage:
    """The coverage that ledger rows of one partition add up to."""
    rows = list(settled)
    if len(rows) == 1:  # so it is of most files
        row = rows[0]
        content = row.content if row.start == 0 else None
        return Coverage(((row.start, row.end),), row.end if row.final else None, content)
    ends = [row.end for row in rows if row.final]
    content = next((row.content for row in rows if row.start == 0), None)
    ranges = merge((row.start, row.end) for row in rows)
    return Coverage(ranges, max(ends) if ends else None, content)


def missing(span: Span, coverage: Coverage) -> list[Range] | None:
    """The ranges of ``span`` that are not settled; None when nothing at all is left of it.

    An empty list means that only the end of the partition is new.
    """
    gaps = coverage.gaps(span.start, span.end)
    if gaps:
        return gaps
    at_end = span.final and coverage.end is None
    # An empty span says where reading began: whoever resumes must not begin later.
    unseen = span.start == span.end and not coverage.ranges
    return [] if at_end or unseen else None


def trimmed(batch: RecordBatch, gaps: Sequence[Range]) -> tuple[RecordBatch, int]:
    """The part of ``batch`` that lies in ``gaps``, and how many records lie outside."""
    if list(gaps) == [(batch.span.start, batch.span.end)]:
        return batch, 0
    offsets = batch.offsets
    inside: list[int] = []
    for low, high in gaps:
        inside.extend(range(bisect_left(offsets, low), bisect_left(offsets, high)))
    failures = tuple(f for f in batch.failures if _within(f.origin.offset, gaps))
    values = None if batch.values is None else [batch.values[i] for i in inside]
    part = batch.keep(inside, values)
    filtered = tuple(offset for offset in batch.filtered if _within(offset, gaps))
    part = replace(part, failures=failures, filtered=filtered)
    return part, batch.read - part.read


def emptied(batch: RecordBatch) -> RecordBatch:
    """A batch of jobs without its jobs, which other processes have now."""
    claim = None if batch.claim is None else replace(batch.claim, attempts={})
    return replace(batch.keep((), ()), failures=(), filtered=(), claim=claim)


def merged(rows: Iterable[Settlement]) -> list[Settlement]:
    """The rows with touching and overlapping spans merged, and their counts added up."""
    rows = list(rows)
    if len(rows) == 1:
        return rows
    result: list[Settlement] = []
    for row in sorted(rows, key=lambda row: (row.start, row.end)):
        if result and row.start <= result[-1].end:
            last = result[-1]
            end = max(last.end, row.end)
            final = (last.final and last.end == end) or (row.final and row.end == end)
            content = _joined(last, row)
            result[-1] = Settlement(last.start, end, final, last.counts + row.counts, content)
        else:
            result.append(row)
    return result


def without(rows: Iterable[Settlement], start: int, end: int | None = None) -> list[Settlement]:
    """The rows of one partition, of which ``[start, end)`` is no longer settled.

    All counts stay, with what is left of their row, or with the first row: only their sum over the
    partition has a meaning. At least one row is left, which ends at ``start`` or before, so that reading
    goes on there: an empty one if nothing else is.

    Args:
        rows: As the ledger has them.
        start: The first offset.
        end: The offset behind the last; None for all that follow, and the end of the partition.
    """
    left: list[Settlement] = []
    carried = Counts()
    for row in sorted(rows, key=lambda row: row.start):
        before = row.start < start and row.end <= start
        if before or (end is not None and row.start >= end):
            left.append(row)
            continue
        bounds = [(row.start, start, False)] if row.start < start else []
        if end is not None and row.end > end:
            bounds.append((end, row.end, row.final))
        parts = [Settlement(low, high, final) for low, high, final in bounds]
        if parts:
            parts[0] = replace(parts[0], counts=row.counts)
        else:
            carried += row.counts
        left += parts
    if not any(row.start <= start for row in left):
        left.insert(0, Settlement(start, start))
    left[0] = replace(left[0], counts=left[0].counts + carried)
    return left


def within(rows: Iterable[Settlement], start: int, end: int | None = None) -> list[Range]:
    """What ``rows`` have settled of ``[start, end)``, as ``without`` takes it out."""
    clipped = (
        (max(row.start, start), row.end if end is None else min(row.end, end)) for row in rows
    )
    return list(merge((low, high) for low, high in clipped if low < high))


def refuse_another_framing(place: Partition, before: Iterable[Settlement], row: Settlement) -> None:
    """Refuse to go on in a partition whose records were cut out of its bytes in another way.

    Raises:
        ConfigError: Other records begin in it now than when it was read.
    """
    framing = row.content.framing if row.content is not None else ""
    for old in before:
        framed = old.content.framing if old.content is not None else ""
        if framing and framed and framing != framed:
            raise ConfigError(
                f"{place[0]} was read as ({framed}) up to offset {old.end:,} and is read as "
                f"({framing}) now, where other records begin; give the options of then to read the "
                "rest of it, or store it anew to read all of it"
            )


def _joined(last: Settlement, row: Settlement) -> Content | None:
    """What two ranges held that follow each other or begin together."""
    if row.start == row.end and row.content is None:
        return last.content  # only the end is new
    if last.start == last.end and last.content is None:
        return row.content  # a rewind has left where reading begins
    if row.start < last.end or last.content is None or row.content is None:
        return None
    return last.content.then(row.content)


def _within(offset: int, ranges: Sequence[Range]) -> bool:
    return any(low <= offset < high for low, high in ranges)
