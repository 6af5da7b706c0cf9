"""Every flag of ``pipelines.dead_letters``, and the filters made from them."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipelines.command import Parser
from pipelines.flags import positive_int
from sinks.jobs.filter import JobFilter
from sinks.jobs.retention import duration
from transforms.batch.job_states import (
    ACTIONS,
    ADOPT,
    FINAL_STATES,
    JOB_STATES,
    MAX_REPLAYS,
    REPLAY,
    Action,
)
from transforms.errors import ConfigError
from transforms.steps.pipeline_identity import labels_of

ALL = "all"

_HELP = {
    "list": "list jobs, newest first",
    "show": "show one job in full: bytes (also as hex), key and headers, every attempt, stack",
    "stats": "count the jobs of each kind, with the age of the oldest",
    "replay": "try dead letters again: they become available",
    "cancel": "do not try waiting jobs again",
    "purge": "delete dead letters; the ledger goes on counting them",
    "adopt": "give jobs to a pipeline: jobs of no pipeline, or of one that was renamed or changed",
    "prune": "delete finished jobs that have been kept long enough",
    "audit": "show who replayed, cancelled, purged, adopted or pruned what, when and why",
}


def parser(description: str | None) -> Parser:
    """The parser of the command line.

    Args:
        description: The text of ``--help``.
    """
    parser = Parser(prog="python -m pipelines.dead_letters", description=description)
    actions = parser.add_subparsers(dest="action", required=True, metavar="|".join(_HELP))
    for name, text in _HELP.items():
        one = actions.add_parser(name, help=text, description=text)
        one.add_argument("--sink", required=True, metavar="URL", help="SQLAlchemy URL")
        one.add_argument("--json", action="store_true", help="print a list of objects")
        one.add_argument("--verbose", action="store_true", help="logs, and an error's stack")
        if name == "show":
            one.add_argument(
                "--id", type=positive_int, required=True, metavar="N", help="its number"
            )
        elif name in ("list", "stats"):
            _add_filters(one, (*JOB_STATES, ALL), "discarded")
        elif name in ACTIONS:
            _add_action(one, ACTIONS[name])
        elif name == "prune":
            _add_prune(one)
        if name in ("list", "audit"):
            one.add_argument(
                "--limit", type=positive_int, default=20, metavar="N", help="default: %(default)s"
            )
    return parser


def filter_of(flags: Any) -> JobFilter:
    """The filter that the flags describe; state ``all`` does not filter.

    Raises:
        ConfigError: A time cannot be read, or ``--since`` is not before ``--until``.
    """
    now = datetime.now(UTC)
    since, until = (_time(name, getattr(flags, name), now) for name in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise ConfigError(f"--since {flags.since} is not before --until {flags.until}")
    return JobFilter(
        target=flags.table,
        state=None if flags.state == ALL else flags.state,
        stage=flags.stage,
        category=flags.category,
        source=flags.origin,
        exception=flags.exception,
        text=flags.text,
        sqlstate=flags.sqlstate,
        ids=tuple(flags.id or ()),
        since=since,
        until=until,
        **_owner_filter(flags),
    )


def adopter_of(flags: Any) -> tuple[str, tuple[str, ...] | None]:
    """The pipeline that adopts the jobs: its name, and its steps where they are named.

    Raises:
        ConfigError: The name is missing, or the steps are missing where they are required.
    """
    if not flags.pipeline:
        raise ConfigError(
            "adopt needs --pipeline NAME; by default a pipeline has the name of its table"
        )
    if flags.steps is not None and flags.no_steps:
        raise ConfigError("--steps and --no_steps exclude each other")
    if flags.no_steps:
        return flags.pipeline, ()
    if flags.steps is not None:
        return flags.pipeline, labels_of(flags.steps)
    if flags.from_pipeline is not None:
        raise ConfigError(
            "--from_pipeline needs the steps that the records will go through from now on: "
            "--steps A,B as the pipeline has them, or --no_steps if it has none"
        )
    return flags.pipeline, None


def _owner_filter(flags: Any) -> dict[str, Any]:
    """Whose jobs are meant; for ``adopt``, by default those of no pipeline."""
    adopts = flags.action == ADOPT.name
    name, steps = (
        (flags.from_pipeline, flags.from_steps) if adopts else (flags.pipeline, flags.steps)
    )
    if adopts and name is None:
        if steps is not None:
            raise ConfigError("--from_steps needs --from_pipeline NAME")
        name = ""
    return {"pipeline": name, "steps": None if steps is None else labels_of(steps)}


def actor_of(flags: Any) -> str:
    """Who acts: ``--by``, otherwise the user name of the operating system."""
    if flags.by:
        return str(flags.by)
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # containers have user ids without a name
        return "unknown"


def check_text(argv: Sequence[str]) -> None:
    """Refuse arguments that are not text, because no database would accept them.

    Raises:
        ConfigError: An argument has bytes that are not UTF-8.
    """
    for argument in argv:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"argument {argument!a} is not UTF-8") from None


def _add_filters(
    one: argparse.ArgumentParser,
    states: Sequence[str],
    default: str | None,
    *,
    adopts: bool = False,
) -> None:
    filters = one.add_argument_group("filters")
    usual = "all of these" if adopts else default or "the waiting ones"
    state_help = f"{', '.join(states)}; default: {usual}"
    filters.add_argument("--table", metavar="NAME", help="of this table")
    filters.add_argument(
        "--state", choices=states, default=default, metavar="STATE", help=state_help
    )
    before = "from_" if adopts else ""
    default_owner = "; default: jobs of no pipeline" if adopts else "; '' is no pipeline"
    filters.add_argument(
        f"--{before}pipeline", metavar="NAME", help=f"kept for this pipeline{default_owner}"
    )
    filters.add_argument(
        f"--{before}steps",
        metavar="LABEL[,LABEL]",
        help="kept for a pipeline with these steps; '' has none",
    )
    filters.add_argument("--stage", help="read, parse, validate, write or a step's label")
    filters.add_argument("--category", help="e.g. malformed, schema, constraint")
    filters.add_argument(
        "--origin", "--source", metavar="URI", help="from this object or topic; * is any text"
    )
    filters.add_argument("--exception", metavar="CLASS", help="class of the exception")
    filters.add_argument("--text", help="with this text in its bytes")
    filters.add_argument("--sqlstate", metavar="CODE", help="with this code of the database")
    filters.add_argument(
        "--id", type=positive_int, action="append", metavar="N", help="with this number; repeatable"
    )
    filters.add_argument("--since", metavar="TIME", help="first failed at TIME or later")
    filters.add_argument(
        "--until", metavar="TIME", help="first failed before TIME: ISO 8601, or 2h, 30m, 7d ago"
    )


def _add_action(one: argparse.ArgumentParser, action: Action) -> None:
    default = action.default[0] if len(action.default) == 1 else None
    _add_filters(one, (*action.states, ALL), default, adopts=action is ADOPT)
    _add_trail(one, "why, for the audit trail; required except with --dry_run")
    one.add_argument("--limit", type=positive_int, metavar="N", help="at most N, the oldest first")
    if action is ADOPT:
        one.add_argument("--pipeline", metavar="NAME", help="the pipeline that adopts the jobs")
        one.add_argument(
            "--steps",
            metavar="LABEL[,LABEL]",
            help="the labels of its steps, in order (default: those that its jobs have)",
        )
        one.add_argument("--no_steps", action="store_true", help="it has no steps of its own")
    if action is REPLAY:
        one.add_argument(
            "--max_replays",
            type=positive_int,
            default=MAX_REPLAYS,
            metavar="N",
            help="leave alone jobs that were replayed this often (default: %(default)s)",
        )


def _add_prune(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--retain",
        action="append",
        required=True,
        metavar="STATE=DURATION",
        help=f"how long to keep jobs that are {', '.join(FINAL_STATES)}, e.g. completed=7d; "
        "repeatable",
    )
    one.add_argument("--table", metavar="NAME", help="of this table")
    _add_trail(one, "why, for the audit trail (default: retention)")


def _add_trail(one: argparse.ArgumentParser, reason: str) -> None:
    one.add_argument("--reason", metavar="TEXT", help=reason)
    one.add_argument("--by", metavar="NAME", help="who (default: the user of this process)")
    one.add_argument(
        "--dry_run", action="store_true", help="only report how many jobs would change"
    )


def _time(name: str, text: str | None, now: datetime) -> datetime | None:
    """Read a point in time, or a duration before ``now``. Without an offset, a time is in UTC."""
    if text is None:
        return None
    try:
        return now - duration(text)
    except ConfigError:
        pass
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"--{name} must be a time in ISO 8601, or how long ago (2h, 30m, 7d); got {text!r}"
        ) from None
