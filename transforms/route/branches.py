"""Where a record goes to several routes, or is a job that was one of several. Pure.

The engine is that of ``transforms.batch.several``, but a branch bears the name of its route: a job knows
its route whatever other routes there are by then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from transforms.batch.expansion import ROUTES, Branch, Expansion
from transforms.batch.record import Failure, RecordBatch
from transforms.batch.several import CHANGED, ExpansionChanged
from transforms.route.plan import Numbers

STAGE = "route"

_MAP = "/map"


def step_of(name: str) -> str:
    """The step of the branch to a route; a job of it goes there again.

    >>> step_of("orders")
    'Route/orders'
    """
    return ROUTES + name


def map_step_of(name: str) -> str:
    """The step of what the mapping of a route makes several records of."""
    return ROUTES + name + _MAP


def route_ahead(batch: RecordBatch, index: int) -> str | None:
    """The route that a job has to go to because it was one of several; None for any other record."""
    branch = _ahead(batch, index)
    if branch is None or not branch.step.startswith(ROUTES):
        return None
    return branch.step.removeprefix(ROUTES).partition("/")[0]


def lost(batch: RecordBatch, index: int, name: str) -> Failure:
    """The failure of a job that was sent to the route ``name``, which does not want it any more."""
    message = (
        f"this was one of the records that route {name!r} was sent; now there is no such route, or "
        "its condition does not hold"
    )
    return _changed(batch, index, message)


def _changed(batch: RecordBatch, index: int, message: str) -> Failure:
    """The failure of a job, which stays in its table."""
    failure = Failure.of(batch.record(index), STAGE, CHANGED, ExpansionChanged(message))
    return replace(failure, target=(batch.claim.target or None) if batch.claim else None)


def _ahead(batch: RecordBatch, index: int) -> Branch | None:
    left = 0 if batch.ahead is None else batch.ahead[index]
    if not left or batch.expansions is None:
        return None
    return batch.expansions[index][-left]


def branched(
    batch: RecordBatch,
    codes: Sequence[int],
    routes: Sequence[Numbers],
    names: Sequence[str],
    failures: Sequence[Failure] = (),
) -> tuple[RecordBatch, list[int]]:
    """Each record once for each route that it goes to, and the number of the route of each.

    Args:
        batch: The records.
        codes: A code for each record.
        routes: By code, the numbers of the routes; none for a record that has failed.
        names: The name of each route.
        failures: The failures of those.
    """
    used = {code: routes[code] for code in set(codes)}
    numbers = [number for code in codes for number in routes[code]]
    if batch.ahead is None and all(len(to) == 1 for to in used.values()):
        return batch, numbers
    indices = [index for index, code in enumerate(codes) for _ in routes[code]]
    branches = {
        code: _branches(tuple(names[number] for number in to)) if len(to) > 1 else ((),) * len(to)
        for code, to in used.items()
    }
    several = any(len(to) > 1 for to in used.values())
    ahead = batch.ahead
    values = None if batch.values is None else [batch.values[index] for index in indices]
    if ahead is None:
        kept = batch.keep(indices, values, failures)
        if not several:
            return kept, numbers
        further: list[Expansion] = [branch for code in codes for branch in branches[code]]
        before = kept.expansions
        if before is not None:
            further = [(*old, *new) for old, new in zip(before, further, strict=True)]
        return replace(kept, expansions=further), numbers
    return _with_jobs(batch, codes, branches, names, numbers, failures)


def _with_jobs(
    batch: RecordBatch,
    codes: Sequence[int],
    branches: Mapping[int, Sequence[Expansion]],
    names: Sequence[str],
    numbers: Sequence[int],
    failures: Sequence[Failure],
) -> tuple[RecordBatch, list[int]]:
    """The same where jobs have branches ahead: a branch to a route is taken."""
    indices: list[int] = []
    chosen: list[int] = []
    expansions: list[Expansion] = []
    ahead: list[int] = []
    refused = list(failures)
    at = 0
    for index, code in enumerate(codes):
        to = numbers[at : at + len(branches[code])]
        at += len(to)
        left = 0 if batch.ahead is None else batch.ahead[index]
        expansion = () if batch.expansions is None else batch.expansions[index]
        taken = _ahead(batch, index)
        if len(to) > 1 and taken is not None:
            message = (
                f"this was record {taken.number} of the {taken.of:,} that step {taken.step!r} made of "
                f"one; now it goes to {len(to)} routes, where it went to 1 then"
            )
            refused.append(_changed(batch, index, message))
            continue
        if to and taken is not None and taken.step == step_of(names[to[0]]):
            left -= 1
        indices += [index] * len(to)
        chosen += to
        expansions += [(*expansion, *branch) for branch in branches[code]]
        ahead += [left] * len(to)
    values = None if batch.values is None else [batch.values[index] for index in indices]
    kept = batch.keep(indices, values, refused)
    return replace(kept, expansions=expansions, ahead=ahead if any(ahead) else None), chosen


@lru_cache(1_000)
def _branches(names: tuple[str, ...]) -> tuple[Expansion, ...]:
    """The expansions of the records of one that had none."""
    return tuple((Branch(number, len(names), step_of(name)),) for number, name in enumerate(names))
