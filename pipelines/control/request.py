"""What the commands that steer a pipeline share: their options, and how they are carried out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipelines import command
from pipelines.flags import add_reason, add_sink, add_verbose


def parser_of(
    action: str, description: str, example: str, *, reasoned: bool = True
) -> command.Parser:
    """The parser of one of the commands.

    Args:
        action: Its name.
        description: What it does.
        example: Options that show it.
        reasoned: Whether the reason has to be given.
    """
    parser = command.Parser(
        prog=f"python -m pipelines.control.{action}",
        description=description,
        epilog=f"examples:\n  %(prog)s --sink postgresql://user@host/db {example}",
        exits={},
    )
    which = parser.add_argument_group("which pipeline")
    add_sink(which)
    which.add_argument(
        "--pipeline",
        required=True,
        metavar="NAME",
        help="its name, as `sluice runs list` shows it: --pipeline of the ingest, otherwise its table",
    )
    which.add_argument(
        "--source",
        metavar="URI",
        help="only this source of it: as the ingest has it, or as `sluice audit` shows it (default: the "
        "whole pipeline)",
    )
    why = parser.add_argument_group("the audit trail")
    default = "" if reasoned else " (default: resumed)"
    add_reason(why, f"why{default}", required=reasoned)
    printed = parser.add_argument_group("what is printed")
    printed.add_argument(
        "--json", action="store_true", help="a list of objects, one for each source"
    )
    add_verbose(printed)
    return parser


def main_of(action: str, parser: Callable[[], command.Parser], argv: Sequence[str]) -> int:
    """Parse the options, and carry the command out; returns the exit code."""
    flags = parser().parse_args(list(argv))
    with command.importing():
        from pipelines.control import steering

    return steering.carry_out(action, flags)
