"""How the conformance suite prints what its checks come to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

from pipelines import command
from pipelines.conformance.check import Result, Status
from pipelines.terminal import safe
from transforms.secrets import redact


def show(results: Iterable[Result], as_json: bool) -> list[Result]:
    """Print the results as they come, or all of them as JSON; returns them."""
    collected = []
    for result in results:
        collected.append(result)
        if not as_json:
            for line in lines(result):
                print(line, flush=True)
    if as_json:
        print(json.dumps([as_object(result) for result in collected], indent=2))
    else:
        print(summary(collected))
    command.check_printed()
    return collected


def lines(result: Result) -> Iterator[str]:
    """The lines of one check; of one that has failed, the second says what is not kept."""
    why = f": {result.why}" if result.why else ""
    yield _line(f"{result.status}: {result.check.name}{why}")
    if result.status == "failed":
        yield f"    not kept: {result.check.guarantee}"


def as_object(result: Result) -> dict[str, Any]:
    """One object of the list that ``--json`` prints."""
    return {
        "check": result.check.name,
        "guarantee": result.check.guarantee,
        "status": result.status,
        "why": redact(result.why),
        "seconds": round(result.seconds, 3),
    }


def summary(results: Sequence[Result]) -> str:
    """How many there are of each status, and how long they took."""
    numbers = Counter(result.status for result in results)
    told = ", ".join(f"{numbers[each]} {each}" for each in get_args(Status) if numbers[each])
    seconds = sum(result.seconds for result in results)
    return f"{len(results)} checks: {told}, in {seconds:.1f} s"


def _line(text: str) -> str:
    """On one line, whatever a message holds."""
    return safe(redact(" ".join(text.split())))
