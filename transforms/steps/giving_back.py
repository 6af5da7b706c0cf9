"""What a step takes of a batch, where it may have to give the rest back because its service is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from transforms.batch.divide import divided
from transforms.batch.record import RecordBatch
from transforms.steps import passage as passages
from transforms.steps.passage import Passage
from transforms.steps.service import Service


class Taken(NamedTuple):
    """One try of a step at a batch.

    Attributes:
        part: What it took; None if it took nothing.
        back_from: The offset from which on it took nothing; None if it took all.
        away: Why its service is away; empty if it is not.
    """

    part: RecordBatch | None
    back_from: int | None = None
    away: str = ""


def parts_taken(
    batch: RecordBatch, service: Service, take: Callable[[RecordBatch, Passage | None], Taken]
) -> Iterator[RecordBatch]:
    """What a step takes of ``batch``; it waits for its service where no reader can.

    Args:
        batch: The records.
        service: What the step calls.
        take: Tries the step at a batch, which may be the rest of this one.

    Raises:
        ServiceUnavailable: The outage budget is used up.
    """
    passage = passages.current(batch)
    while True:
        part, back_from, away = take(batch, passage)
        whole = batch.claim is not None
        if back_from is None or not (whole or part is None):
            assert part is not None  # noqa: S101 - one of them is there
            yield part if back_from is None else _with_content(part, passage)
        if back_from is None:
            return
        if part is None or whole:
            back_from = batch.span.start
        wait = service.away(away) if away else 0.0
        if passage is not None:
            passage.give_back(back_from)
            return
        time.sleep(wait)
        if not whole:
            batch = divided(batch, back_from)[1]


def _with_content(part: RecordBatch, passage: Passage | None) -> RecordBatch:
    """``part``, the first of a batch, with the bytes of its span."""
    content = None if passage is None else passage.content(part.span.end)
    return replace(part, span=replace(part.span, content=content))
