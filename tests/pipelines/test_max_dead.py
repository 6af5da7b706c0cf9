"""``--max_dead``: a run that would make too many dead letters ends with exit code 4.

A stream is paused: ``test_control.py``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import command
from pipelines.ingestion.options import from_argv
from tests.pipelines import commands
from tests.pipelines.tables import query


@pytest.fixture
def sink(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/a.db"


def dead(sink: str) -> int:
    ((count,),) = query(sink, "SELECT count(*) FROM ingest_jobs")
    return int(count)


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """Three thousand records, two thirds of which lack the key."""
    path = tmp_path / "wrong.jsonl"
    path.write_text("".join(f'{{"{"no" if n % 3 else "id"}": {n}}}\n' for n in range(3_000)))
    return path


def test_it_ends_the_run_and_a_rerun_adds_less_than_a_thousand(
    wrong: Path, sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.ingest(wrong, sink) == command.DEAD_BUDGET == 4
    (line,) = commands.printed(capsys.readouterr().err)
    assert line.startswith("ingest: ")
    assert f"records of {wrong} are dead letters, more than --max_dead 50% allows" in line
    assert "--max_dead 100%" in line
    for _ in range(2):
        before = dead(sink)
        assert commands.ingest(wrong, sink) == 4
        assert dead(sink) - before < 1_000
    assert commands.audit(sink) == 0


def test_more_may_be_allowed(wrong: Path, sink: str) -> None:
    assert commands.ingested(wrong, sink, "--max_dead", "70%")["dead"] == 2_000


def test_a_number_holds_for_few_records_too(
    tmp_path: Path, sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "few.jsonl").write_text('{"id": 1}\n{"id":\n{"id":\n')
    assert commands.ingest(tmp_path / "few.jsonl", sink, "--max_dead", "1") == 4
    assert dead(sink) == 0
    assert commands.ingested(tmp_path / "few.jsonl", sink, "--max_dead", "2")["dead"] == 2


def test_replayed_records_do_not_count(wrong: Path, sink: str) -> None:
    assert commands.ingested(wrong, sink, "--max_dead", "100%")["dead"] == 2_000
    assert commands.dead_letters("replay", "--sink", sink, "--reason", "once more") == 0
    assert commands.ingested(wrong, sink)["dead"] == 2_000


@pytest.mark.parametrize("value", ["lots", "120%"])
def test_a_value_that_is_none_is_refused(
    value: str, wrong: Path, sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.ingest(wrong, sink, "--max_dead", value) == 2
    assert f"max_dead must be a number or a percentage up to 100%, got '{value}'" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(("more", "pauses"), [(("--max_dead", "5%"), True), ((), None)])
def test_a_stream_has_a_budget_only_if_somebody_asks_for_one(
    more: tuple[str, ...], pauses: bool | None, wrong: Path, sink: str
) -> None:
    config, _ = from_argv(commands.arguments(wrong, sink, "--streaming", *more))
    assert (config.budget and config.budget.pauses) == pauses
