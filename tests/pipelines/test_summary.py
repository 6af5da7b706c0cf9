"""The figures of a run: what they add up to, and how they are printed and written."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from pipelines import summary
from pipelines.summary import Summary
from transforms.errors import ConfigError
from transforms.metrics import NAMESPACE

RUN = Summary(
    read=21_000,
    inserted=10_000,
    updated=5_000,
    duplicates=3_000,
    dead=1_500,
    retrying=1_000,
    attempts=0,
    scheduled=0,
    next_attempt_at=None,
    filtered=500,
    batches=3,
    splits=2,
    resumed=0,
    resumed_bytes=0,
    skipped_offsets=0,
    seconds=2.0,
    records_per_second=10_500.0,
)


def printed(run: Summary) -> str:
    out = io.StringIO()
    summary.show(run, Console(file=out, width=200))
    return out.getvalue()


@pytest.mark.parametrize(
    "outcome", ["read", "inserted", "updated", "duplicates", "dead", "retrying", "filtered"]
)
def test_every_record_is_accounted_for_or_it_does_not_add_up(outcome: str) -> None:
    assert RUN.adds_up
    changed = {outcome: getattr(RUN, outcome) + 1}
    assert not replace(RUN, **changed).adds_up


def test_outcomes_are_printed_with_their_counts() -> None:
    lines = printed(RUN).splitlines()
    for line in ("21,000  read", "10,000  inserted", "1,500  dead", "500  filtered"):
        assert line in [each.strip() for each in lines]
    assert "3 batches in 2.0 s, 10,500 records/s" in lines


def test_what_did_not_happen_is_not_printed() -> None:
    quiet = printed(replace(RUN, updated=0, retrying=0, filtered=0, duplicates=0, dead=0))
    for word in ("updated", "retrying", "filtered", "resumed", "skipped", "retried", "scheduled"):
        assert word not in quiet
    assert "0  duplicates" in quiet
    assert "0  dead" in quiet


def test_what_waits_for_the_next_run_is_printed() -> None:
    out = printed(replace(RUN, scheduled=1_200, next_attempt_at="2026-01-02T03:04:05+00:00"))
    assert "scheduled: 1,200 records wait" in out
    assert "2026-01-02T03:04:05+00:00" in out


def test_a_topic_has_no_end_that_could_be_complete() -> None:
    reached = {"partitions": 4, "complete": 1, "gaps": 2, "positions": {}}
    files = {"source": "/in/*.jsonl", **reached}
    topic = {"source": "kafka://h:1/t", **reached}
    lines = printed(replace(RUN, sources=(files, topic))).splitlines()
    assert "/in/*.jsonl: 1 of 4 complete" in lines
    assert "kafka://h:1/t: 4 partitions, 2 with a gap" in lines


def test_it_is_written_as_one_object(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    summary.write_json(RUN, path)
    figures = json.loads(path.read_text())
    assert (figures["read"], figures["next_attempt_at"]) == (21_000, None)


def test_a_file_that_cannot_be_written_says_that_the_run_is_finished(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--summary_json .*finished and committed"):
        summary.write_json(RUN, tmp_path / "no" / "summary.json")


def test_counters_are_summed_over_the_steps_of_a_pipeline() -> None:
    def counter(name: str, number: int | None) -> SimpleNamespace:
        key = SimpleNamespace(metric=SimpleNamespace(name=name, namespace=NAMESPACE))
        return SimpleNamespace(key=key, result=number)

    counters = [counter("read", 3), counter("dead", 1), counter("read", 4), counter("dead", None)]
    metrics = SimpleNamespace(query=lambda _: {"counters": counters})
    assert summary.counters(SimpleNamespace(metrics=lambda: metrics)) == {"read": 7, "dead": 1}
