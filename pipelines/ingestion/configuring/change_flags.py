"""The flags of change events: what surrounds a row, and what becomes of deletes."""

from __future__ import annotations

import argparse

from pipelines.command import Parser
from transforms.envelope.config import UnwrapConfig
from transforms.envelope.message_key import key_fields
from transforms.errors import ConfigError


def add_changes(parser: Parser) -> None:
    """Add the flags."""
    add = parser.add_argument_group("change events").add_argument
    add(
        "--envelope",
        default="none",
        choices=("none", "debezium", "connect", "auto"),
        help="what surrounds a row in its message: Debezium's before and after, also flattened, with or "
        "without Connect's schema and payload; schema and payload alone; or whatever each message looks "
        "like (docs/change-events.md) (default: none)",
    )
    add(
        "--on_delete",
        default="dead",
        metavar="delete|mark:COLUMN|ignore|dead",
        help="what becomes of a record that says that its row is gone: it deletes the row, sets a boolean "
        "or a timestamp in it, is left out, or is a dead letter; the first two need --on_conflict "
        "newest:FIELD or newest:@position (default: dead)",
    )
    add(
        "--delete_when",
        default="",
        metavar="CONDITION",
        help="a record that meets this condition, before --map shapes it, says that its row is gone: "
        "'{field: status, is: deleted}', or an expression of JMESPath (docs/routes.md) (default: none)",
    )


def unwrap_of(flags: argparse.Namespace) -> UnwrapConfig:
    """What records are in, and what becomes of deletes.

    Raises:
        ConfigError: The options contradict each other, or one is wrong.
    """
    mode, colon, column = flags.on_delete.partition(":")
    if (
        mode not in ("delete", "mark", "ignore", "dead")
        or (mode == "mark") != bool(column)
        or (colon and mode != "mark")
    ):
        raise ConfigError(
            f"--on_delete must be delete, mark:COLUMN, ignore or dead, got {flags.on_delete!r}"
        )
    names, fields = key_fields(flags.key)
    if mode in ("delete", "mark"):
        if flags.table and not flags.on_conflict.startswith("newest:"):
            raise ConfigError(
                f"--on_delete {flags.on_delete} needs an order, and --on_conflict is "
                f"{flags.on_conflict}; give --on_conflict newest:FIELD, a field that grows with each "
                "change, or newest:@position"
            )
        if flags.table and not names:
            raise ConfigError(f"--on_delete {flags.on_delete} needs a key; give --key FIELD")
    if flags.delete_when and mode == "dead":
        raise ConfigError("--delete_when: say what becomes of deletes; give --on_delete")
    return UnwrapConfig(
        envelope=flags.envelope,
        on_delete=mode,
        delete_when=flags.delete_when,
        key=names,
        key_fields=fields,
    )


def on_delete_of(flags: argparse.Namespace) -> str:
    """What the write does with deletes; empty where none comes to it."""
    return flags.on_delete if flags.on_delete.partition(":")[0] in ("delete", "mark") else ""
