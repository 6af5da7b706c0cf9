"""The flags of change events."""

from __future__ import annotations

import pytest

from pipelines.ingestion.configuring.change_flags import on_delete_of, unwrap_of
from pipelines.ingestion.flags import parser
from transforms.envelope.config import UnwrapConfig
from transforms.envelope.message_key import KeyField
from transforms.errors import ConfigError

TABLE = ("--table", "t", "--key", "id")
NEWEST = ("--on_conflict", "newest:@position")


def test_what_they_say() -> None:
    flags = parser().parse_args([*TABLE, *NEWEST, "--envelope", "auto", "--on_delete", "mark:gone"])
    assert unwrap_of(flags) == UnwrapConfig("auto", "mark", key=("id",))
    assert on_delete_of(flags) == "mark:gone"


def test_by_default_nothing_is_unwrapped() -> None:
    flags = parser().parse_args(["--key", "id=@key"])
    assert unwrap_of(flags) == UnwrapConfig(key=("id",), key_fields=(KeyField("id"),))
    assert not unwrap_of(parser().parse_args([*TABLE])).is_needed
    assert on_delete_of(flags) == ""


def test_deletes_that_are_left_out_need_no_order() -> None:
    flags = parser().parse_args([*TABLE, "--on_delete", "ignore"])
    assert (unwrap_of(flags).on_delete, on_delete_of(flags)) == ("ignore", "")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--on_delete", "remove"), "must be delete, mark:COLUMN, ignore or dead"),
        (("--on_delete", "mark"), "must be delete, mark:COLUMN"),
        (("--on_delete", "delete:x"), "must be delete, mark:COLUMN"),
        ((*TABLE, "--on_delete", "delete"), "needs an order, and --on_conflict is ignore"),
        ((*TABLE, "--on_delete", "mark:x", "--on_conflict", "update"), "needs an order"),
        (("--table", "t", *NEWEST, "--on_delete", "delete"), "give --key FIELD"),
        (("--delete_when", "a == 'b'"), "give --on_delete"),
    ],
)
def test_what_contradicts_itself_is_refused(argv: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        unwrap_of(parser().parse_args(argv))
