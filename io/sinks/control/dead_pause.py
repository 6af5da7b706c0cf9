"""Pause a stream that has used up its budget for dead letters: nothing is raised, and nothing is lost."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sinks.control import requests
from sinks.control.polling import SqlControls
from transforms.errors import SluiceError
from transforms.secrets import redact
from transforms.settle.dead_budget import Spending
from transforms.settle.sink import Settled

ACTOR = "sluice"
"""Who pauses, in the row and in the audit trail."""

_log = logging.getLogger(__name__)


def spend(spending: Spending, settled: Sequence[Settled], controls: SqlControls | None) -> None:
    """Count a commit that went through; where that is too much for a stream, pause its pipeline.

    A pause that cannot be written is asked for again after the next commit with dead letters.
    """
    if controls is None or not spending.budget.pauses:
        spending.spend(settled)
        return
    spending.count_from(controls.resumed_at())
    excess = spending.excess(settled)
    spending.spend(settled)
    if not excess or controls.whole_is_held:
        return
    try:
        requests.pause_unless_held(
            controls.target.database, controls.name, actor=ACTOR, reason=redact(excess)
        )
        controls.look()
    except SluiceError as error:
        _log.warning(
            "the pipeline should be paused, which cannot be asked for now: %s (%s)", excess, error
        )
