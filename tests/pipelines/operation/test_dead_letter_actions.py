"""What an action refuses; whole actions are in ``tests/pipelines/test_dead_letters.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.operation.dead_letter_actions import carry_out
from pipelines.operation.dead_letter_options import parser
from runners import streams
from sinks.database.database import Database
from sinks.database.migrations import migrate
from transforms.errors import ConfigError, SluiceError


@pytest.mark.parametrize("action", ["replay", "cancel", "purge", "adopt"])
def test_a_change_needs_a_reason_before_the_database_is_asked(action: str) -> None:
    flags = parser().parse_args([action, "--sink", "postgresql://u@127.0.0.1:9/db"])
    with pytest.raises(ConfigError, match=f"{action} needs --reason TEXT"):
        carry_out(flags)


def test_a_number_that_no_job_has_is_said_to_have_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    migrate.prepare(Database(url))
    flags = parser().parse_args(["show", "--sink", url, "--id", "7"])
    with pytest.raises(ConfigError, match="there is no dead letter 7 in this database"):
        carry_out(flags)


@pytest.mark.parametrize("action", ["list", "stats", "audit", "show"])
def test_a_database_without_tables_of_ours_is_refused(action: str, tmp_path: Path) -> None:
    more = ["--id", "7"] if action == "show" else []
    flags = parser().parse_args([action, "--sink", f"sqlite:///{tmp_path}/a.db", *more])
    with pytest.raises(ConfigError, match="has no ingest_ tables"):
        carry_out(flags)


@pytest.mark.parametrize(
    "argv",
    [
        *(["list"], ["stats"], ["groups"], ["audit"]),
        *(["replay", "--dry_run"], ["prune", "--retain", "completed=7d", "--dry_run"]),
    ],
    ids=" ".join,
)
def test_what_only_looks_fails_where_its_output_is_lost(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    migrate.prepare(Database(url))
    monkeypatch.setattr(streams, "lost", lambda: "No space left on device")
    with pytest.raises(SluiceError, match="standard output cannot be written"):
        carry_out(parser().parse_args([*argv, "--sink", url]))


def test_what_changes_something_has_done_it_although_its_output_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    migrate.prepare(Database(url))
    monkeypatch.setattr(streams, "lost", lambda: "No space left on device")
    assert carry_out(parser().parse_args(["replay", "--reason", "x", "--sink", url])) == 0
