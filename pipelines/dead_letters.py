"""Look at what could not be written, and say what becomes of it.

python -m pipelines.dead_letters list   --sink URL [filters] [--json]
python -m pipelines.dead_letters show   --sink URL --id N [--json]
python -m pipelines.dead_letters stats  --sink URL [filters] [--json]
python -m pipelines.dead_letters replay --sink URL --reason TEXT [filters] [--dry_run]
python -m pipelines.dead_letters cancel --sink URL --reason TEXT [filters] [--dry_run]
python -m pipelines.dead_letters purge  --sink URL --reason TEXT [filters] [--dry_run]
python -m pipelines.dead_letters adopt  --sink URL --reason TEXT --pipeline NAME --steps A,B [filters]
python -m pipelines.dead_letters prune  --sink URL --retain STATE=DURATION [--dry_run]
python -m pipelines.dead_letters audit  --sink URL [--json]

Every change leaves a row in ``ingest_audit``, in the transaction that makes it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines import command
from pipelines import dead_letters_output as output
from pipelines.dead_letters_options import actor_of, adopter_of, check_text, filter_of, parser
from sinks.database import upgrade
from sinks.database.database import Database
from sinks.database.tables import EXECUTING
from sinks.jobs import actions as job_actions
from sinks.jobs import audit_trail, retention
from sinks.jobs import orders as job_orders
from sinks.jobs import stats as job_stats
from sinks.jobs import store as jobs
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import ACTIONS, ADOPT, REPLAY, Order
from sinks.jobs.retention import Retention
from sinks.jobs.store import Job
from transforms.errors import ConfigError
from transforms.steps.pipeline_identity import PipelineIdentity

SHOWN = 20
"""Jobs that a dry run shows."""

_DONE = {
    "replay": "replayed: now available, a running ingest of their table and pipeline takes them "
    "at once, the next one otherwise",
    "adopt": "adopted: that pipeline takes those that wait now or are replayed",
    "cancel": "cancelled: they will not be tried again",
    "purge": "deleted; the ledger goes on counting them as dead",
    "prune": "deleted",
}
_LEFT = {
    job_orders.NO_BYTES: "an object could not be read, there are no bytes to parse again; "
    "put a new version of it in place and ingest that",
    job_orders.REPLAYED_OFTEN: "replayed --max_replays times already",
    EXECUTING: "being tried at this moment, left to finish",
}


def main(argv: Sequence[str]) -> int:
    """Carry out one action; returns the exit code."""
    check_text(argv)
    given = parser(__doc__).parse_args(list(argv))
    whats = {"list": _list, "show": _show, "stats": _stats, "prune": _prune, "audit": _audit}
    return whats.get(given.action, _act)(given)


def _list(given: Any) -> int:
    database, which = Database(given.sink), filter_of(given)
    found = jobs.list_jobs(database, which, limit=given.limit)
    if given.json:
        output.print_json([output.job_as_json(each) for each in found])
        return command.OK
    total = sum(jobs.count_jobs(database, which, by=("state",)).values())
    console = command.console()
    output.show_list(console, found)
    console.print(f"{len(found):,} of {total:,} {_called(which)}", highlight=False)
    return command.OK


def _show(given: Any) -> int:
    database = Database(given.sink)
    job = jobs.get_job(database, given.id)
    if job is None:
        raise ConfigError(f"there is no dead letter {given.id} in this database")
    if given.json:
        output.print_json([output.job_as_json(job)])
        return command.OK
    output.show_one(command.console(), job)
    return command.OK


def _stats(given: Any) -> int:
    which = filter_of(given)
    groups = job_stats.groups(Database(given.sink), which)
    if given.json:
        output.print_json([output.group_as_json(group) for group in groups])
        return command.OK
    console = command.console()
    output.show_stats(console, groups)
    total = sum(group.count for group in groups)
    console.print(f"{total:,} {_called(which)}", highlight=False)
    return command.OK


def _act(given: Any) -> int:
    """Replay, cancel, purge or adopt."""
    reason = (given.reason or "").strip()
    if not reason and not given.dry_run:
        raise ConfigError(
            f"{given.action} needs --reason TEXT for the audit trail; --dry_run only looks"
        )
    database = Database(given.sink)
    adopts = adopter_of(given) if given.action == ADOPT.name else None
    if adopts is not None and not given.dry_run:
        upgrade.prepare(database)  # the steps are looked for in columns that old tables lack
    order = Order.of(
        ACTIONS[given.action],
        filter_of(given),
        every_state=given.state == "all",
        max_replays=getattr(given, "max_replays", job_orders.MAX_REPLAYS),
        limit=given.limit,
        adopter=None
        if adopts is None
        else job_actions.adopter(database, filter_of(given), *adopts),
    )
    if given.dry_run:
        outcome = job_actions.preview(database, order)
        shown = _jobs(database, job_actions.oldest(database, order, SHOWN))
        _say(given, database, outcome.count, outcome.left_alone, shown=shown)
        return command.OK
    upgrade.prepare(database)
    outcome = job_actions.carry_out(database, order, actor=actor_of(given), reason=reason)
    owners = outcome.owners if order.action is REPLAY else {}
    if order.adopter is not None:
        owners = {order.adopter: outcome.count}
    _say(given, database, outcome.count, outcome.left_alone, owners=owners)
    return command.OK


def _prune(given: Any) -> int:
    database, kept = Database(given.sink), Retention.parse(given.retain)
    if given.dry_run:
        counted = retention.prunable(database, given.table, kept)
        shown = _jobs(database, retention.oldest(database, given.table, kept, SHOWN))
        _say(given, database, sum(counted.values()), {}, shown=shown, states=counted)
        return command.OK
    upgrade.prepare(database)
    reason = (given.reason or "").strip() or "retention"
    counted = retention.prune(database, given.table, kept, actor=actor_of(given), reason=reason)
    _say(given, database, sum(counted.values()), {}, states=counted)
    return command.OK


def _audit(given: Any) -> int:
    entries = audit_trail.entries(Database(given.sink), limit=given.limit)
    if given.json:
        output.print_json([output.entry_as_json(entry) for entry in entries])
        return command.OK
    console = command.console()
    output.show_audit(console, entries)
    if not entries:
        console.print("nothing has been replayed, cancelled, purged, adopted or pruned yet")
    return command.OK


def _say(
    given: Any,
    database: Database,
    count: int,
    left_alone: Mapping[str, int],
    *,
    shown: Sequence[Job] = (),
    states: Mapping[str, int] | None = None,
    owners: Mapping[PipelineIdentity | None, int] | None = None,
) -> None:
    """Print what an action has done, or would do."""
    if given.json:
        said: dict[str, Any] = {
            "action": given.action,
            "count": count,
            "left_alone": dict(left_alone),
            "dry_run": given.dry_run,
        }
        if states is not None:
            said["states"] = dict(states)
        if owners:
            said["owners"] = [
                {**output.owner_as_json(owner), "count": number} for owner, number in owners.items()
            ]
        if given.dry_run:
            said["jobs"] = [output.job_as_json(job) for job in shown]
        output.print_json([said])
        return
    console = command.console()
    output.show_list(console, shown)
    if given.dry_run:
        line = f"dry run: {given.action} would change {count:,}; nothing was changed"
    else:
        line = f"{count:,} {_DONE[given.action]}"
    by_state = ", ".join(f"{number:,} {state}" for state, number in (states or {}).items())
    console.print(f"{line} ({by_state})" if by_state else line, highlight=False, soft_wrap=True)
    for owner, number in (owners or {}).items():
        whose = "no pipeline: `adopt` gives them to one" if owner is None else f"pipeline {owner}"
        console.print(f"{number:,} of {whose}", highlight=False, markup=False, soft_wrap=True)
    for reason, number in left_alone.items():
        console.print(f"{number:,} left alone: {_LEFT[reason]}", highlight=False, soft_wrap=True)


def _jobs(database: Database, ids: Sequence[int]) -> list[Job]:
    """The jobs with these numbers, the oldest first."""
    if not ids:
        return []
    return jobs.list_jobs(database, JobFilter(ids=tuple(ids)), limit=len(ids))[::-1]


def _called(which: JobFilter) -> str:
    return which.state or "jobs"


if __name__ == "__main__":
    sys.exit(command.run("dead_letters", main, None))
