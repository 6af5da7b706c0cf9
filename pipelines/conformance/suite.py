"""The conformance suite: every check, carried out one after the other within bounded time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager

from pipelines.conformance.check import Check, Failed, NotOffered, Result, Trial
from pipelines.conformance.checks import (
    audit,
    conflicts,
    dead_letters,
    evolution,
    instants,
    jobs,
    keys,
    ledger,
    names,
    order,
    outbox,
    poison,
    types,
    writers,
)
from pipelines.conformance.checks.interruptions import outages, transactions
from pipelines.conformance.ground import Ground, ground_in
from sinks.database.database import Database
from transforms.background import in_background
from transforms.error_texts import message_of
from transforms.errors import SluiceError

SECONDS = 180.0
"""How long one check may take."""

_END_SECONDS = 15.0  # that a check gets to end once the suite is broken off

CHECKS: tuple[Check, ...] = (
    *types.CHECKS,
    *keys.CHECKS,
    *names.CHECKS,
    *instants.CHECKS,
    *conflicts.CHECKS,
    *order.CHECKS,
    *evolution.CHECKS,
    *poison.CHECKS,
    *transactions.CHECKS,
    *outages.CHECKS,
    *writers.CHECKS,
    *ledger.CHECKS,
    *dead_letters.CHECKS,
    *jobs.CHECKS,
    *outbox.CHECKS,
    *audit.CHECKS,
)
"""Every check, in order."""


def results(
    database: Database,
    checks: Sequence[Check] = CHECKS,
    *,
    seconds: float = SECONDS,
    began: Callable[[Ground], None] = lambda _ground: None,
) -> Iterator[Result]:
    """Carry out ``checks`` in a place of their own in ``database``, which is removed at the end.

    A check that takes longer than ``seconds`` fails, and so do those after it, which are not tried.

    Args:
        database: Which database.
        checks: The checks.
        seconds: How long one check may take.
        began: Called once the place is made.

    Raises:
        ConfigError: The place cannot be made; the message says what to do.
        SinkUnavailable: The database cannot be reached.
        SluiceError: The place cannot be removed.
    """
    with ground_in(database) as ground, _quiet():
        began(ground)
        stuck = ""
        for check in checks:
            if stuck:
                yield Result(check, "failed", f"not tried, since {stuck} did not end")
                continue
            result, ended = carried_out(check, ground, seconds)
            stuck = "" if ended else check.name
            yield result


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what is said of things that checks do on purpose: leases that run out, closed connections."""
    loggers = {
        logging.getLogger("sinks"): logging.ERROR,
        logging.getLogger("sqlalchemy.pool"): logging.CRITICAL,
    }
    before = {logger: logger.level for logger in loggers}
    for logger, level in loggers.items():
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)


def carried_out(check: Check, ground: Ground, seconds: float = SECONDS) -> tuple[Result, bool]:
    """What ``check`` comes to, and whether it has ended."""
    began = time.monotonic()
    trial = Trial()
    future = in_background(lambda: check.run(ground, trial), f"conformance {check.name}")
    try:
        wait([future], seconds)
        if not future.done():
            spent = time.monotonic() - began
            return Result(check, "failed", f"did not end within {seconds:g} s", spent), False
    finally:
        if not future.done():  # stuck or interrupted: nothing may be written while it is removed
            ground.stop()
            wait([future], _END_SECONDS)
    spent = time.monotonic() - began
    error = future.exception()
    if error is None:
        if trial.compared:
            return Result(check, "passed", "", spent), True
        return Result(check, "failed", "it has compared nothing", spent), True
    if isinstance(error, NotOffered):
        return Result(check, "not offered", message_of(error), spent), True
    if isinstance(error, Failed | SluiceError):
        return Result(check, "failed", message_of(error), spent), True
    why = f"{type(error).__name__}: {message_of(error)}"
    return Result(check, "failed", why, spent), True
