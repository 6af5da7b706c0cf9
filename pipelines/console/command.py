"""Show every pipeline of a database in a browser, and repair its dead letters.

    python -m pipelines.console --sink postgresql://user@host/db [--listen HOST:PORT]

It answers until a signal ends it (exit 0). The database may be away meanwhile.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipelines import command
from pipelines.flags import add_sink, add_verbose, seconds
from pipelines.telemetry.address import address

_DESCRIPTION = """\
Show every pipeline of a database in a browser, and repair its dead letters.

On this machine alone it needs no login. Where others reach it, --users, --token_file or
--user_header says who may do what. docs/console.md explains the screens and the roles."""

_EXAMPLES = """\
examples:
  %(prog)s --sink postgresql://user@host/db
  %(prog)s --sink 'postgresql://user:${env:PGPASSWORD}@host/db' --listen 0.0.0.0:8400 --users users.txt
  %(prog)s --sink sqlite:///ingest.db --read_only"""

_ROLES = ("viewer", "operator", "admin")

_EXITS = {command.OK: "a signal has ended it"}
"""What its exit codes mean, where they say more than those of every command."""


def parser() -> command.Parser:
    """The flags of ``pipelines.console``."""
    parser = command.Parser(
        prog="python -m pipelines.console", description=_DESCRIPTION, epilog=_EXAMPLES, exits=_EXITS
    )
    shown = parser.add_argument_group("what is shown")
    add_sink(shown)
    shown.add_argument(
        "--listen",
        type=address,
        default="127.0.0.1:8400",
        metavar="HOST:PORT",
        help="where to answer; without a host, only on this machine; port 0 is any that is free "
        "(default: 127.0.0.1:8400)",
    )
    shown.add_argument(
        "--refresh",
        type=seconds(at_least=1),
        default=5.0,
        metavar="S",
        help="a page that is looked at refreshes itself every S seconds (default: 5)",
    )
    _add_access(parser.add_argument_group("who may do what"))
    add_verbose(parser.add_argument_group("the process"))
    return parser


def _add_access(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--users",
        type=Path,
        metavar="FILE",
        help="users log in with a password: lines name:role:bcrypt-hash; the role is viewer, "
        "operator or admin",
    )
    add(
        "--token_file",
        type=Path,
        metavar="FILE",
        help="programs log in with a bearer token, people with name and token: lines name:role:token",
    )
    add(
        "--user_header",
        metavar="NAME",
        help="a proxy names the user in this header; nothing but the proxy may reach the console",
    )
    add("--role_header", metavar="NAME", help="the proxy names the role in this header")
    add(
        "--role",
        choices=_ROLES,
        help="the role of users that the proxy names without one (default: viewer)",
    )
    add("--read_only", action="store_true", help="refuse every action, whoever asks")
    add(
        "--hide_payloads",
        action="store_true",
        help="show viewers no bytes, keys, headers or quoted values of records",
    )


def main(argv: Sequence[str]) -> int:
    """Serve until a signal comes; returns the exit code."""
    flags = parser().parse_args(list(argv))
    with command.importing():
        from pipelines.console.access.roles import ROLES
        from pipelines.console.config import STATEMENT_SECONDS, ConsoleConfig
        from pipelines.console.serving import serve
        from sinks.database.database import Database
        from sinks.database.engine import engine_of
        from transforms.errors import ConfigError

    if flags.role and not flags.user_header:
        raise ConfigError("--role is for users that a proxy names: it needs --user_header")
    database = Database(flags.sink, statement_timeout=STATEMENT_SECONDS)
    engine_of(database)  # a mistake in the URL is said at once
    config = ConsoleConfig(
        database,
        flags.listen,
        token_file=flags.token_file,
        users=flags.users,
        user_header=flags.user_header,
        role_header=flags.role_header,
        role=ROLES[flags.role or "viewer"],
        read_only=flags.read_only,
        hide_payloads=flags.hide_payloads,
        refresh=flags.refresh,
    )
    serve(config, lambda url: print(url, flush=True))
    return command.OK
