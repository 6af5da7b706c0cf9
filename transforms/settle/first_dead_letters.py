"""Say it when records become dead letters for a reason that this run has not met before."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from transforms.batch.record import Failure
from transforms.per_process import PerProcess

_log = logging.getLogger(__name__)

MOST_KINDS = 100
"""How many kinds of dead letters are told of; a step of a user may invent any number."""

_kinds: PerProcess[None, set[tuple[str, str]]] = PerProcess(lambda _: set())


def report(dead: Sequence[Failure]) -> None:
    """Log one warning for the first dead letter of each stage and category.

    Its message is left out, since it may quote the record.
    """
    if not dead:
        return
    kinds = _kinds.get(None)
    for failure in dead:
        kind = failure.stage, failure.category
        if kind not in kinds and len(kinds) < MOST_KINDS:
            kinds.add(kind)
            _tell(failure)


def reset() -> None:
    """Tell of every kind again: a new run starts."""
    _kinds.clear()


def _tell(failure: Failure) -> None:
    origin = failure.origin
    _log.warning(
        "the first dead letter of stage %s, category %s: %s, partition %s, offset %s",
        *(failure.stage, failure.category, origin.source, origin.partition, origin.offset),
        extra={
            "stage": failure.stage,
            "category": failure.category,
            "source": origin.source,
            "partition": origin.partition,
            "offset": origin.offset,
        },
    )
