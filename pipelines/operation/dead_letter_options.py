"""Every flag of ``pipelines.dead_letters``, in groups, with examples."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pipelines import flags
from pipelines.command import FAILED, Parser
from transforms.batch.job_states import (
    ACTIONS,
    ADOPT,
    FINAL_STATES,
    JOB_STATES,
    MAX_REPLAYS,
    REPLAY,
    Action,
)
from transforms.parse.by_format import MAX_BYTES

ALL = "all"

_DESCRIPTION = """\
List, replay, cancel or purge the records that could not be written.

Every change leaves a row in ingest_audit, in the same transaction."""

_EXAMPLES = """\
examples:
  %(prog)s list --sink sqlite:///ingest.db
  %(prog)s stats --sink postgresql://user@host/db --since 2h
  %(prog)s replay --sink postgresql://user@host/db --table people \\
      --reason 'the column is there now'
  %(prog)s replay --help"""

_HELP = {
    "list": "list jobs, newest first",
    "show": "show one job in full: bytes (also as hex), key and headers, every attempt, stack",
    "stats": "count the jobs of each kind, with the age of the oldest",
    "groups": "group dead letters by what they failed for, the group with the newest one first",
    "replay": "try dead letters again: they become available",
    "cancel": "do not try waiting jobs again",
    "purge": "delete finished jobs; the ledger goes on counting their records as what they became",
    "adopt": "give jobs to a pipeline: jobs of no pipeline, or of one that was renamed or changed",
    "prune": "delete finished jobs, and ended runs, that have been kept long enough",
    "edit": "change the bytes of one record; what they were before is kept",
    "orders": "show long orders (--background), carry them out, or cancel one",
    "audit": "show who replayed, cancelled, purged, adopted, pruned, edited or revealed what, when and why",
}

_EXAMPLE = {
    "list": "--table people --category constraint --since 2h",
    "show": "--id 7",
    "stats": "--state all --json",
    "groups": "--table people --limit 10",
    "replay": "--table people --reason 'the column is there now'",
    "cancel": "--origin 's3://bucket/2026/*' --dry_run",
    "purge": "--category malformed --until 30d --reason 'never to be repaired'",
    "adopt": "--pipeline people --no_steps --reason 'from before the upgrade'",
    "prune": "--retain completed=7d --retain discarded=90d",
    "edit": "--id 7 --file fixed.json --reason 'a typo' --replay",
    "orders": "--work",
    "audit": "--limit 100",
}
"""For each action, options that show what it is for."""

_EXITS = {
    FAILED: "it failed; `orders --work`: the database refuses an order for good",
}
"""What its exit codes mean, where they say more than those of every command."""


def parser() -> Parser:
    """The parser of the command line."""
    parser = Parser(
        prog="python -m pipelines.dead_letters",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        exits=_EXITS,
    )
    actions = parser.add_subparsers(
        dest="action", required=True, title="actions", metavar="|".join(_HELP)
    )
    for name, text in _HELP.items():
        example = f"example:\n  %(prog)s --sink sqlite:///ingest.db {_EXAMPLE[name]}"
        one = actions.add_parser(name, help=text, description=text, epilog=example)
        flags.add_sink(one.add_argument_group("the database"))
        if name == "show":
            one.add_argument_group("which job").add_argument(
                "--id", type=flags.positive_int, required=True, metavar="N", help="its number"
            )
        elif name in ("list", "stats"):
            _add_filters(one, (*JOB_STATES, ALL), "discarded")
        elif name == "groups":
            _add_filters(one, ("discarded",), "discarded")
        elif name in ACTIONS:
            _add_action(one, ACTIONS[name])
        elif name in _OWN_FLAGS:
            _OWN_FLAGS[name](one)
        if name in ("list", "show"):
            _add_reveal(one)
        _add_printed(one, limited=name in ("list", "groups", "orders", "audit"))
    return parser


def _add_printed(one: argparse.ArgumentParser, *, limited: bool) -> None:
    printed = one.add_argument_group("what is printed")
    if limited:
        printed.add_argument(
            "--limit",
            type=flags.positive_int,
            default=20,
            metavar="N",
            help="at most N, the newest first (default: %(default)s)",
        )
    printed.add_argument("--json", action="store_true", help="a list of objects")
    flags.add_verbose(printed)


def _add_filters(
    one: argparse.ArgumentParser,
    states: Sequence[str],
    default: str | None,
    *,
    adopts: bool = False,
) -> None:
    filters = one.add_argument_group("filters")
    usual = "all of these" if adopts else default or "the waiting ones"
    state_help = f"in this state: {', '.join(states)} (default: {usual})"
    filters.add_argument("--table", metavar="NAME", help="of this table")
    filters.add_argument(
        "--state", choices=states, default=default, metavar="STATE", help=state_help
    )
    before = "from_" if adopts else ""
    default_owner = " (default: jobs of no pipeline)" if adopts else "; '' is no pipeline"
    filters.add_argument(
        f"--{before}pipeline", metavar="NAME", help=f"kept for this pipeline{default_owner}"
    )
    filters.add_argument(
        f"--{before}steps",
        metavar="LABEL[,LABEL]",
        help="kept for a pipeline with these steps; '' has none",
    )
    filters.add_argument(
        "--stage", help="read, parse, map, validate, route, write or a step's label"
    )
    filters.add_argument("--category", help="e.g. malformed, schema, constraint")
    filters.add_argument(
        "--origin", "--source", metavar="URI", help="from this object or topic; * is any text"
    )
    filters.add_argument("--exception", metavar="CLASS", help="class of the exception")
    filters.add_argument("--text", help="with this text in its bytes")
    filters.add_argument("--message_key", metavar="TEXT", help="with this text in their key")
    filters.add_argument(
        "--header",
        metavar="NAME[=VALUE]",
        help="with this header, and all of its value if there is one; * in the name is any text",
    )
    filters.add_argument("--sqlstate", metavar="CODE", help="with this code of the database")
    filters.add_argument(
        "--fingerprint",
        metavar="ID",
        help="dead letters of this group, as `groups` shows it",
    )
    filters.add_argument(
        "--id",
        type=flags.positive_int,
        action="append",
        metavar="N",
        help="with this number; may be repeated",
    )
    filters.add_argument("--since", metavar="TIME", help="first failed at TIME or later")
    filters.add_argument(
        "--until", metavar="TIME", help="first failed before TIME: ISO 8601, or 2h, 30m, 7d ago"
    )


def _add_action(one: argparse.ArgumentParser, action: Action) -> None:
    default = action.default[0] if len(action.default) == 1 else None
    _add_filters(one, (*action.states, ALL), default, adopts=action is ADOPT)
    done = one.add_argument_group("what is done")
    if action is ADOPT:
        done.add_argument("--pipeline", metavar="NAME", help="the pipeline that adopts the jobs")
        done.add_argument(
            "--steps",
            metavar="LABEL[,LABEL]",
            help="the labels of its steps, in order (default: those that its jobs have)",
        )
        done.add_argument("--no_steps", action="store_true", help="it has no steps of its own")
        done.add_argument(
            "--no_map",
            action="store_true",
            help="a program without a mapping may take them, and writes what the mapping of these "
            "jobs hid (default: jobs made under a mapping wait for one)",
        )
    done.add_argument(
        "--limit",
        type=flags.positive_int,
        metavar="N",
        help="at most N, the oldest first (default: all)",
    )
    if action is REPLAY:
        done.add_argument(
            "--max_replays",
            type=flags.positive_int,
            default=MAX_REPLAYS,
            metavar="N",
            help="leave alone jobs that were replayed this often (default: %(default)s)",
        )
    done.add_argument(
        "--background",
        action="store_true",
        help="give a long order instead: it is carried out in chunks by a console, or by `orders "
        "--work`, and its number is printed",
    )
    _add_trail(done, "why, for the audit trail; required except with --dry_run")


def _add_reveal(one: argparse.ArgumentParser) -> None:
    group = one.add_argument_group("hidden fields")
    group.add_argument(
        "--reveal",
        action="store_true",
        help="show fields that a mapping hides, with an entry in the audit trail (default: they are "
        "masked, and what cannot be read is described)",
    )
    flags.add_reason(group, "why, for the audit trail; required with --reveal")


def _add_prune(one: argparse.ArgumentParser) -> None:
    which = one.add_argument_group("which jobs")
    which.add_argument(
        "--retain",
        action="append",
        required=True,
        metavar="STATE=DURATION",
        help=f"how long to keep jobs that are {', '.join(FINAL_STATES)}, e.g. completed=7d, or the "
        "entries of ended runs, e.g. runs=90d, or how long to remember that keys are gone, e.g. deletes=60d; "
        "may be repeated",
    )
    which.add_argument("--table", metavar="NAME", help="of this table (default: of all tables)")
    _add_trail(
        one.add_argument_group("what is done"), "why, for the audit trail (default: retention)"
    )


def _add_edit(one: argparse.ArgumentParser) -> None:
    which = one.add_argument_group("which record")
    which.add_argument(
        "--id", type=flags.positive_int, required=True, metavar="N", help="the number of its job"
    )
    which.add_argument(
        "--expect",
        metavar="SHA256",
        help="only if its bytes still have this digest, in hexadecimal (default: whatever they are)",
    )
    done = one.add_argument_group("what is done")
    done.add_argument(
        "--file",
        required=True,
        metavar="FILE",
        help="the bytes from now on, without a line end after them; - is standard input",
    )
    done.add_argument("--replay", action="store_true", help="replay the dead letter, too")
    done.add_argument(
        "--revealed",
        action="store_true",
        help="the file has the fields that a mapping hides in clear; with an entry in the audit "
        "trail (default: records with such fields are refused)",
    )
    done.add_argument(
        "--max_record_bytes",
        type=flags.positive_int,
        default=MAX_BYTES,
        metavar="N",
        help="refuse a longer record (default: %(default)s)",
    )
    flags.add_reason(done, "why, for the audit trail", required=True)


def _add_orders(one: argparse.ArgumentParser) -> None:
    which = one.add_argument_group("which orders")
    which.add_argument(
        "--id", type=flags.positive_int, metavar="N", help="this one (default: all of them)"
    )
    done = one.add_argument_group("what is done")
    done.add_argument(
        "--work", action="store_true", help="carry out those that wait, the oldest first, and end"
    )
    done.add_argument(
        "--cancel",
        type=flags.positive_int,
        metavar="N",
        help="end this one before its next chunk; what is done stays done",
    )
    flags.add_reason(done, "why, for the audit trail; required with --cancel")


_OWN_FLAGS = {"prune": _add_prune, "edit": _add_edit, "orders": _add_orders}


def _add_trail(done: argparse._ActionsContainer, reason: str) -> None:
    flags.add_reason(done, reason)
    done.add_argument(
        "--dry_run", action="store_true", help="only report how many jobs would change"
    )
