"""Give up intents that nobody can settle any more, of writers that were stopped or have ended.

A commit gives up those that touch what it settles. These are the others: of jobs whose claim is gone, when no
further jobs come, and of a range that was settled where no lock holds writers off.
"""

from __future__ import annotations

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.label import TargetTable, pipeline_named
from sinks.ledger import ledger
from sinks.ledger.ranges import coverage_of
from sinks.objects import intents
from transforms.throttle import Throttle

LOOKS: Throttle[tuple[Database, str]] = Throttle(5.0)
"""How often a process looks for them."""


def give_up(config: TargetTable, name: str) -> None:
    """Give up the intents of a pipeline that are over, unless this process has just looked.

    Args:
        config: The pipeline's own target, and the state.
        name: The name of the pipeline; empty for the label of the target.

    Raises:
        SinkUnavailable: The state cannot be reached.
        Contention: The state asks for another try.
    """
    database = config.database
    if not LOOKS.take_turn((database, name or str(config.table_name))):
        return
    with transaction(database, "look for old intents", write=False) as connection:
        pipeline = pipeline_named(connection, config.table_name, name)
        old = intents.old_intents(connection, pipeline)
    if not old:
        return
    places = sorted({(each.source, each.partition) for each in old if not each.is_of_jobs})
    with transaction(database, "give up old intents") as connection:
        if places:
            dialect_of(connection).lock(connection, [(pipeline, *place) for place in places])
            settled = ledger.settlements(connection, pipeline, places)
            ranges = {place: coverage_of(rows).ranges for place, rows in settled.items()}
            intents.retire_settled(connection, pipeline, ranges)
        intents.retire_jobs(connection, pipeline)
