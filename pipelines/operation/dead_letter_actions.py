"""Each action of ``pipelines.dead_letters``: what it asks of the database, and what it prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines import command
from pipelines.operation import dead_letter_edits, dead_letter_orders
from pipelines.operation import dead_letter_output as output
from pipelines.operation.dead_letter_filters import actor_of, adopter_of, filter_of, reveal_of
from pipelines.terminal import safe
from sinks.bulk import edits
from sinks.console.groups import groups
from sinks.database.database import Database
from sinks.database.migrations import migrate, version
from sinks.jobs import actions as job_actions
from sinks.jobs import audit_trail, retention
from sinks.jobs import orders as job_orders
from sinks.jobs import stats as job_stats
from sinks.jobs import store as jobs
from sinks.jobs.actions import Outcome
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from sinks.jobs.retention import Retention
from sinks.jobs.store import Job
from transforms.batch.job_states import ACTIONS, ADOPT, EXECUTING, MAX_REPLAYS, REPLAY
from transforms.errors import ConfigError
from transforms.steps.pipeline_identity import PipelineIdentity

SHOWN = 20
"""How many jobs a dry run shows."""

_DONE = {
    "replay": "replayed: now available, a running ingest of their table and pipeline takes them "
    "at once, the next one otherwise",
    "adopt": "adopted: that pipeline takes those that wait now or are replayed",
    "cancel": "cancelled: they will not be tried again; the ledger counts their records as dead",
}
_DELETED = {
    "discarded": "the ledger goes on counting their records as dead",
    "cancelled": "the ledger goes on counting their records as dead",
    "completed": "their attempts are forgotten; their records are counted as what they became, "
    "and no count of dead letters changes",
    retention.RUNS: "what they have settled stays in the ledger",
    retention.DELETES: "nobody remembers any more that these keys were gone; no row was changed",
}
"""What remains of jobs that are deleted, by their state, of runs and of deletes."""
_LEFT = {
    job_orders.NO_BYTES: "an object could not be read, there are no bytes to parse again; "
    "put a new version of it in place and ingest that",
    job_orders.HEAD_ONLY: "the record was too large and only its head is kept; put the object in "
    "place again, with a higher --max_record_bytes, and ingest that",
    job_orders.REPLAYED_OFTEN: "replayed --max_replays times already",
    EXECUTING: "being tried at this moment, left to finish",
}


def carry_out(flags: Any) -> int:
    """Carry out the action that the flags name; returns the exit code.

    Raises:
        SluiceError: The database cannot be reached, or refuses.
        ConfigError: Flags contradict each other, or name what is not there.
    """
    looks = {"list": _list, "show": _show, "stats": _stats, "groups": _groups, "audit": _audit}
    others = {"prune": _prune, "edit": _edit, "orders": _orders}
    code = {**looks, **others}.get(flags.action, _act)(flags)
    if flags.action in looks or getattr(flags, "dry_run", False):
        command.check_printed()
    return code


def _database(flags: Any) -> Database:
    """The database, which must be one that something was ingested into."""
    database = Database(flags.sink)
    version.require(database, migrated=False)
    return database


def _list(flags: Any) -> int:
    chosen, reveal, database = filter_of(flags), reveal_of(flags), _database(flags)
    listed = jobs.list_jobs(database, chosen, limit=flags.limit, reveal=reveal)
    if flags.json:
        output.print_json([output.job_as_json(each) for each in listed])
        return command.OK
    total = sum(jobs.count_jobs(database, chosen, by=("state",)).values())
    console = command.console()
    output.show_list(console, listed)
    console.print(f"{len(listed):,} of {total:,} {_called(chosen)}", highlight=False)
    return command.OK


def _show(flags: Any) -> int:
    reveal, database = reveal_of(flags), _database(flags)
    job = jobs.get_job(database, flags.id, reveal=reveal)
    if job is None:
        raise ConfigError(f"there is no dead letter {flags.id} in this database")
    if flags.json:
        output.print_json([output.job_as_json(job)])
        return command.OK
    output.show_one(command.console(), job, edits.history(database, job.id))
    return command.OK


def _stats(flags: Any) -> int:
    chosen = filter_of(flags)
    groups = job_stats.groups(_database(flags), chosen)
    if flags.json:
        output.print_json([output.group_as_json(group) for group in groups])
        return command.OK
    console = command.console()
    output.show_stats(console, groups)
    total = sum(group.count for group in groups)
    console.print(f"{total:,} {_called(chosen)}", highlight=False)
    return command.OK


def _groups(flags: Any) -> int:
    chosen = filter_of(flags)
    page = groups(_database(flags), chosen, limit=flags.limit)
    if flags.json:
        output.print_json([output.fingerprint_as_json(group) for group in page.groups])
        return command.OK
    console = command.console()
    output.show_groups(console, page)
    more = ", and more: see --limit" if page.after is not None else ""
    noun = "group" if len(page.groups) == 1 else "groups"
    console.print(f"{len(page.groups):,} {noun}{more}", highlight=False)
    if page.searched is not None:
        told = f"only the newest {page.searched:,} dead letters were looked at"
        console.print(told, highlight=False)
    return command.OK


def _act(flags: Any) -> int:
    """Replay, cancel, purge or adopt."""
    reason = (flags.reason or "").strip()
    if not reason and not flags.dry_run:
        raise ConfigError(
            f"{flags.action} needs --reason TEXT for the audit trail; --dry_run only looks"
        )
    if flags.background and flags.dry_run:
        raise ConfigError("--background and --dry_run exclude each other")
    adopts = adopter_of(flags) if flags.action == ADOPT.name else None
    chosen = filter_of(flags)
    database = _database(flags)
    if adopts is not None and not flags.dry_run:
        # The steps are looked for in columns that old tables lack.
        migrate.prepare(database, create=False)
    order = Order.of(
        ACTIONS[flags.action],
        chosen,
        every_state=flags.state == "all",
        max_replays=getattr(flags, "max_replays", MAX_REPLAYS),
        limit=flags.limit,
        adopter=None if adopts is None else job_actions.adopter(database, chosen, *adopts),
        unmapped=getattr(flags, "no_map", False),
    )
    if flags.dry_run:
        outcome = job_actions.preview(database, order)
        shown = _jobs(database, job_actions.oldest(database, order, SHOWN))
        _say(flags, outcome, shown=shown)
        return command.OK
    migrate.prepare(database, create=False)
    if flags.background:
        return dead_letter_orders.give(flags, database, order, reason)
    outcome = job_actions.carry_out(database, order, actor=actor_of(flags), reason=reason)
    owners = outcome.owners if order.action is REPLAY else {}
    if order.adopter is not None:
        owners = {order.adopter: outcome.count}
    _say(flags, outcome, owners=owners)
    return command.OK


def _edit(flags: Any) -> int:
    return dead_letter_edits.edit(flags, _database(flags))


def _orders(flags: Any) -> int:
    code = dead_letter_orders.look(flags, _database(flags))
    command.check_printed()
    return code


def _prune(flags: Any) -> int:
    rules, database = Retention.parse(flags.retain), _database(flags)
    if flags.dry_run:
        counted = retention.prunable(database, flags.table, rules)
        shown = _jobs(database, retention.oldest(database, flags.table, rules, SHOWN))
        _say(flags, Outcome(sum(counted.values()), {}, counted), shown=shown)
        return command.OK
    migrate.prepare(database, create=False)
    reason = (flags.reason or "").strip() or "retention"
    counted = retention.prune(database, flags.table, rules, actor=actor_of(flags), reason=reason)
    _say(flags, Outcome(sum(counted.values()), {}, counted))
    return command.OK


def _audit(flags: Any) -> int:
    entries = audit_trail.entries(_database(flags), limit=flags.limit)
    if flags.json:
        output.print_json([output.entry_as_json(entry) for entry in entries])
        return command.OK
    console = command.console()
    output.show_audit(console, entries)
    if not entries:
        console.print(
            "nothing has been replayed, cancelled, purged, adopted, pruned, edited or revealed yet"
        )
    return command.OK


def _say(
    flags: Any,
    outcome: Outcome,
    *,
    shown: Sequence[Job] = (),
    owners: Mapping[PipelineIdentity | None, int] | None = None,
) -> None:
    """Print what an action has done, or would do."""
    if flags.json:
        answer: dict[str, Any] = {
            "action": flags.action,
            "count": outcome.count,
            "left_alone": dict(outcome.left_alone),
            "dry_run": flags.dry_run,
            "states": dict(outcome.states),
        }
        if owners:
            answer["owners"] = [
                {**output.owner_as_json(owner), "count": number} for owner, number in owners.items()
            ]
        if flags.dry_run:
            answer["jobs"] = [output.job_as_json(job) for job in shown]
        output.print_json([answer])
        return
    console = command.console()
    output.show_list(console, shown)
    for line in _lines(flags, outcome):
        console.print(line, highlight=False, soft_wrap=True)
    for owner, number in (owners or {}).items():
        whose = "no pipeline: `adopt` gives them to one" if owner is None else f"pipeline {owner}"
        console.print(safe(f"{number:,} of {whose}"), highlight=False, markup=False, soft_wrap=True)
    for reason, number in outcome.left_alone.items():
        console.print(f"{number:,} left alone: {_LEFT[reason]}", highlight=False, soft_wrap=True)


def _lines(flags: Any, outcome: Outcome) -> list[str]:
    """What has become of the jobs, or would, and of the counts in the ledger."""
    states = {state: number for state, number in outcome.states.items() if number}
    if flags.dry_run:
        by_state = ", ".join(f"{number:,} {state}" for state, number in states.items())
        line = f"dry run: {flags.action} would change {outcome.count:,}; nothing was changed"
        return [f"{line} ({by_state})" if by_state else line]
    if not outcome.count:
        alone = "no other job matches" if outcome.left_alone else "no job matches"
        return [f"nothing was changed: {alone}"]
    if flags.action in _DONE:
        return [f"{outcome.count:,} {_DONE[flags.action]}"]
    return [f"{number:,} deleted ({state}): {_DELETED[state]}" for state, number in states.items()]


def _jobs(database: Database, ids: Sequence[int]) -> list[Job]:
    """The jobs with these numbers, the oldest first."""
    if not ids:
        return []
    return jobs.list_jobs(database, JobFilter(ids=tuple(ids)), limit=len(ids))[::-1]


def _called(chosen: JobFilter) -> str:
    return chosen.state or "jobs"
