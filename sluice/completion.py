"""Print a script that completes commands and options in a shell (``sluice completion bash``)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pipelines.command import Parser, check_printed
from runners.runner import NAMES
from sluice import table

SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")

_EXAMPLES = """\
examples:
  bash  %(prog)s bash > ~/.local/share/bash-completion/completions/sluice
  zsh   %(prog)s zsh > ~/.zfunc/_sluice    # a folder of $fpath, before compinit
  fish  %(prog)s fish > ~/.config/fish/completions/sluice.fish"""


def parser() -> Parser:
    """The options of ``sluice completion``."""
    parser = Parser(
        prog="python -m sluice completion",
        description="Print a script that completes the commands and options of sluice in your shell.",
        epilog=_EXAMPLES,
        exits={},
    )
    parser.add_argument("shell", choices=SHELLS, help="which shell; start a new one afterwards")
    return parser


def main(argv: Sequence[str]) -> int:
    """Print the script; returns the exit code."""
    shell = parser().parse_args(list(argv)).shell
    import shtab  # nothing else needs it

    print(shtab.complete(_everything(shtab.FILE), shell=shell))
    check_printed()
    return 0


def _everything(files: object) -> argparse.ArgumentParser:
    """One parser of all commands. Options that name a file are completed by ``files``."""
    whole = argparse.ArgumentParser(prog="sluice", allow_abbrev=False)
    whole.add_argument("--version", action="version", version="")
    commands = whole.add_subparsers(dest="command")
    for command in table.COMMANDS:
        options = command.load().parser()
        for action in options.actions():
            if action.metavar == "FILE" or action.dest in ("source", "folder"):
                setattr(action, "complete", files)  # noqa: B010 - shtab's attribute
            if action.dest == "runner":
                action.choices = NAMES
        commands.add_parser(command.name, parents=[options], add_help=False, help=command.line)
    return whole
