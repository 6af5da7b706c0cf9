"""Command line flags of ``pipelines.dead_letters``, and the filters made of them."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipelines.command import Parser
from sinks.database.tables import FINAL_STATES, JOB_STATES
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import ACTIONS, ADOPT, MAX_REPLAYS, REPLAY, Action
from sinks.jobs.retention import duration
from transforms.errors import ConfigError
from transforms.steps.pipeline_identity import labels_of

ALL = "all"

_SAID = {
    "list": "the newest first",
    "show": "one, whole: bytes (also as hex), key and headers, every attempt, stack",
    "stats": "how many of each kind, and since when",
    "replay": "try dead letters again: they become available",
    "cancel": "do not try waiting jobs again",
    "purge": "delete dead letters; the ledger goes on counting them",
    "adopt": "give jobs to a pipeline: those of nobody, or of one that was renamed or changed",
    "prune": "delete finished jobs that have been kept long enough",
    "audit": "who replayed, cancelled, purged, adopted or pruned what, when and why",
}


def parser(description: str | None) -> Parser:
    """The flags of every action; ``description`` is what ``--help`` says."""
    made = Parser(prog="python -m pipelines.dead_letters", description=description)
    actions = made.add_subparsers(dest="action", required=True, metavar="|".join(_SAID))
    for name, said in _SAID.items():
        one = actions.add_parser(name, help=said, description=said)
        one.add_argument("--sink", required=True, metavar="URL", help="SQLAlchemy URL")
        one.add_argument("--json", action="store_true", help="print a list of objects")
        one.add_argument("--verbose", action="store_true", help="logs, and an error's stack")
        if name == "show":
            one.add_argument("--id", type=_positive, required=True, metavar="N", help="its number")
        elif name in ("list", "stats"):
            _add_filters(one, (*JOB_STATES, ALL), "discarded")
        elif name in ACTIONS:
            _add_action(one, ACTIONS[name])
        elif name == "prune":
            _add_prune(one)
        if name in ("list", "audit"):
            one.add_argument(
                "--limit", type=_positive, default=20, metavar="N", help="default: %(default)s"
            )
    return made


def filter_of(given: Any) -> JobFilter:
    """The filter that was asked for; state ``all`` does not filter.

    Raises:
        ConfigError: A time cannot be read, or no job can have failed between the two.
    """
    now = datetime.now(UTC)
    since, until = (_time(name, getattr(given, name), now) for name in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise ConfigError(f"--since {given.since} is not before --until {given.until}")
    return JobFilter(
        target=given.table,
        state=None if given.state == ALL else given.state,
        stage=given.stage,
        category=given.category,
        source=given.origin,
        exception=given.exception,
        text=given.text,
        sqlstate=given.sqlstate,
        ids=tuple(given.id or ()),
        since=since,
        until=until,
        **_owner_filter(given),
    )


def adopter_of(given: Any) -> tuple[str, tuple[str, ...] | None]:
    """The pipeline that is to have the jobs: its name, and its steps where they are named.

    Raises:
        ConfigError: It is not named, or its steps must be and are not.
    """
    if not given.pipeline:
        raise ConfigError(
            "adopt needs --pipeline NAME: by default a pipeline is called as its table"
        )
    if given.steps is not None and given.no_steps:
        raise ConfigError("--steps and --no_steps exclude each other")
    if given.no_steps:
        return given.pipeline, ()
    if given.steps is not None:
        return given.pipeline, labels_of(given.steps)
    if given.from_pipeline is not None:
        raise ConfigError(
            "--from_pipeline needs the steps that the records are to go through from now on: "
            "--steps A,B as the pipeline has them, or --no_steps if it has none"
        )
    return given.pipeline, None


def _owner_filter(given: Any) -> dict[str, Any]:
    """Whose jobs are meant; ``adopt`` means those of nobody unless it is told otherwise."""
    adopts = given.action == ADOPT.name
    name, steps = (
        (given.from_pipeline, given.from_steps) if adopts else (given.pipeline, given.steps)
    )
    if adopts and name is None:
        if steps is not None:
            raise ConfigError("--from_steps needs --from_pipeline NAME")
        name = ""
    return {"pipeline": name, "steps": None if steps is None else labels_of(steps)}


def actor_of(given: Any) -> str:
    """Who acts: ``--by``, or else the name that the operating system knows."""
    if given.by:
        return str(given.by)
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user id without a name, as containers have it
        return "unknown"


def check_text(argv: Sequence[str]) -> None:
    """Refuse arguments that are no text: no database would take them.

    Raises:
        ConfigError: One has bytes that are not UTF-8.
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
    said = f"{', '.join(states)}; default: {usual}"
    filters.add_argument("--table", metavar="NAME", help="meant for this table")
    filters.add_argument("--state", choices=states, default=default, metavar="STATE", help=said)
    before = "from_" if adopts else ""
    default_owner = "; default: those of nobody" if adopts else "; '' is nobody"
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
        "--id", type=_positive, action="append", metavar="N", help="with this number; repeatable"
    )
    filters.add_argument("--since", metavar="TIME", help="first failed at TIME or later")
    filters.add_argument(
        "--until", metavar="TIME", help="first failed before TIME: ISO 8601, or 2h, 30m, 7d ago"
    )


def _add_action(one: argparse.ArgumentParser, action: Action) -> None:
    default = action.default[0] if len(action.default) == 1 else None
    _add_filters(one, (*action.states, ALL), default, adopts=action is ADOPT)
    _add_trail(one, "why, for the audit trail; required but with --dry_run")
    one.add_argument("--limit", type=_positive, metavar="N", help="at most N, the oldest first")
    if action is ADOPT:
        one.add_argument("--pipeline", metavar="NAME", help="the pipeline that is to have the jobs")
        one.add_argument(
            "--steps",
            metavar="LABEL[,LABEL]",
            help="the labels of its steps, in order (default: those that its jobs have)",
        )
        one.add_argument("--no_steps", action="store_true", help="it has no steps of its own")
    if action is REPLAY:
        one.add_argument(
            "--max_replays",
            type=_positive,
            default=MAX_REPLAYS,
            metavar="N",
            help="leave alone what was replayed so often (default: %(default)s)",
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
    one.add_argument("--table", metavar="NAME", help="meant for this table")
    _add_trail(one, "why, for the audit trail (default: retention)")


def _add_trail(one: argparse.ArgumentParser, reason: str) -> None:
    one.add_argument("--reason", metavar="TEXT", help=reason)
    one.add_argument("--by", metavar="NAME", help="who (default: the user of this process)")
    one.add_argument("--dry_run", action="store_true", help="say how many, change nothing")


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number < 2**63:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, got {text!r}")
    return number


def _time(name: str, text: str | None, now: datetime) -> datetime | None:
    """A point in time, or a duration ago; without an offset it is UTC."""
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
            f"--{name} must be a time as ISO 8601 writes it, or a duration ago such as 2h, 30m, "
            f"7d; got {text!r}"
        ) from None
