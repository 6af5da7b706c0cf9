"""``pipelines.ledger forget``: what is meant, what is done, and how it is said."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from pipelines import command
from pipelines.operation.dead_letter_filters import actor_of
from pipelines.terminal import safe
from sinks.database.database import Database
from sinks.database.migrations import migrate, version
from sinks.forgetting import choice as words
from sinks.forgetting import forget
from sinks.forgetting.choice import Choice
from sinks.forgetting.forget import Forgotten, Order
from sinks.jobs.retention import duration
from sources.ownership import TOPICS, beginning_of, owned_by
from sources.storage.presence import presence
from transforms.errors import ConfigError
from transforms.secrets import redact

_LEFT = {
    words.OPEN: "not read to their end",
    words.YOUNG: "their ledger has changed within --older_than",
    words.RETRYING: "have jobs that wait for an attempt; let them end, or cancel them",
    words.DEAD: "have dead letters; replay or purge them first",
    words.JOBS: "have finished jobs; purge or prune them first",
    words.INTENTS: "objects with their records are being written",
    words.OBJECTS: "their records are in objects, where no key would keep them out if they came back",
    words.PRESENT: "still there: the next run would read them again",
    words.CHANGED: "changed meanwhile; ask again",
}


def carry_out(flags: Any) -> int:
    """Forget what the flags name, or say what would be forgotten; returns the exit code.

    Raises:
        ConfigError: A flag is missing or wrong, or names what is not there.
        SluiceError: The database or the source cannot be reached, or refuses.
    """
    reason = (flags.reason or "").strip()
    if flags.yes and not reason:
        raise ConfigError("forget --yes needs --reason TEXT for the audit trail")
    if flags.source.startswith(TOPICS.removesuffix("*")):
        raise ConfigError(
            "the ledger of a topic stays: it says where each partition goes on; `sluice rewind` reads "
            "a part of it again"
        )
    age = duration(flags.older_than)
    owns, pattern = owned_by(flags.source), beginning_of(flags.source)
    database = Database(flags.sink)
    version.require(database, migrated=not flags.yes)
    if flags.yes:
        migrate.prepare(database, create=False)
    _check_pipeline(database, flags.pipeline)
    meant = Choice(
        owns,
        pattern,
        datetime.now(UTC) - age,
        flags.pipeline,
        None if flags.no_look else presence(flags.source, flags.s3_endpoint_url),
    )
    if flags.yes:
        order = Order(_which(flags, meant), actor_of(flags), reason, TOPICS)
        outcome = forget.forget(database, meant, order)
    else:
        outcome = forget.preview(database, meant)
    if not outcome.count and not outcome.left_alone:
        raise ConfigError(f"the ledger has nothing of --source {flags.source}")
    _say(flags, outcome)
    command.check_printed()
    return command.OK


def _check_pipeline(database: Database, pipeline: str | None) -> None:
    if pipeline is None:
        return
    names = forget.names(database)
    if pipeline not in names:
        raise ConfigError(f"there is no pipeline {pipeline!r} here; there are {', '.join(names)}")


def _which(flags: Any, meant: Choice) -> dict[str, Any]:
    which = {
        "source": redact(flags.source),
        "before": meant.before.isoformat(),
        "looked": not flags.no_look,
    }
    return which if flags.pipeline is None else {**which, "pipeline": flags.pipeline}


def _say(flags: Any, outcome: Forgotten) -> None:
    names = ("pipeline", "source", "partition")
    if flags.json:
        answer = {
            "action": "forget",
            "count": outcome.count,
            "dry_run": not flags.yes,
            "left_alone": dict(outcome.left_alone),
            "first": [dict(zip(names, place, strict=True)) for place in outcome.first],
        }
        print(json.dumps([answer], indent=2))
        return
    if flags.yes:
        print(f"{outcome.count:,} forgotten; the metrics go on counting what they held")
    else:
        for pipeline, source, partition in outcome.first:
            print(safe(f"{pipeline}: {source} ({partition})"))
        if outcome.count > len(outcome.first):
            print(f"… {outcome.count - len(outcome.first):,} more")
        print(f"would forget {outcome.count:,}; nothing was changed: --yes --reason TEXT does it")
    for reason, number in outcome.left_alone.items():
        print(f"{number:,} left alone: {_LEFT[reason]}")
