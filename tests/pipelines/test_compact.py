"""The options of ``pipelines.compact``; ``operation/test_compaction.py`` has what it does."""

from __future__ import annotations

import pytest

from pipelines import command
from pipelines.compact import main, parser

REQUIRED = ["--sink", "s3://b/p", "--state", "sqlite:///a.db"]


def test_the_defaults_are_those_that_help_names() -> None:
    flags = parser().parse_args(REQUIRED)
    assert (flags.target_bytes, flags.keep, flags.dry_run) == (256_000_000, "1h", False)
    text = parser().format_help()
    assert "(default: 256MB)" in " ".join(text.split())
    assert "(default: 1h)" in " ".join(text.split())


@pytest.mark.parametrize("missing", ["--sink", "--state"])
def test_sink_and_state_are_required(missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    at = REQUIRED.index(missing)
    assert command.run("compact", main, REQUIRED[:at] + REQUIRED[at + 2 :]) == 2
    assert missing in capsys.readouterr().err


def test_a_database_is_no_place_for_objects(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--sink", "postgresql://host/db", "--state", "sqlite:///a.db"]
    assert command.run("compact", main, argv) == 2
    assert "objects are written to s3://bucket/prefix or file:///folder" in capsys.readouterr().err
