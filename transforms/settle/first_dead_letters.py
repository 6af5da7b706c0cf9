"""Say it when records become dead letters for a reason that this run has not met before."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from transforms.batch.record import Failure
from transforms.per_process import PerProcess

_log = logging.getLogger(__name__)

MOST_KINDS = 100
"""How many kinds of dead letters are told of; a step of a user may invent any number."""

_lock = threading.Lock()
_kinds: PerProcess[None, set[tuple[str, str]]] = PerProcess(lambda _: set())


def report(dead: Sequence[Failure], job_of: Callable[[Failure], int | None]) -> None:
    """Log one warning for the first dead letter of each stage and category.

    Its message is left out, since it may quote the record.

    Args:
        dead: The dead letters of a batch, which are stored.
        job_of: Returns the number of a dead letter's job, or None if that cannot be told. Asked for
            those that are logged.
    """
    if not dead:
        return
    kinds = _kinds.get(None)
    first: dict[tuple[str, str], Failure] = {}
    for failure in dead:
        first.setdefault((failure.stage, failure.category), failure)
    for kind, failure in first.items():
        with _lock:  # commits side by side tell of their own
            fresh = kind not in kinds and len(kinds) < MOST_KINDS
            if fresh:
                kinds.add(kind)
        if fresh:
            _tell(failure, job_of(failure))


def reset() -> None:
    """Tell of every kind again: a new run starts."""
    _kinds.clear()


def _tell(failure: Failure, job: int | None) -> None:
    origin = failure.origin
    place = {"source": origin.source, "partition": origin.partition, "offset": origin.offset}
    if origin.element is not None:
        place["element"] = origin.element
    _log.warning(
        "the first dead letter of stage %s, category %s: %s%s",
        *(failure.stage, failure.category, "" if job is None else f"job {job}, "),
        ", ".join(f"{name} {value}" for name, value in place.items()),
        extra={"stage": failure.stage, "category": failure.category, "job": job, **place},
    )
