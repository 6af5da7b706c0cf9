"""The figures of a run: what they add up to, and how they are printed and written."""

from __future__ import annotations

import io
from dataclasses import asdict, replace

from rich.console import Console

from pipelines.ingestion import summary
from pipelines.ingestion.summary import Summary
from sources.by_uri import source_for
from transforms.batch.counts import Counts
from transforms.batch.splits import Source

COUNTS = Counts(
    read=21_000,
    inserted=10_000,
    updated=5_000,
    duplicates=3_000,
    dead=1_500,
    retrying=1_000,
    filtered=500,
)
RUN = Summary(
    counts=COUNTS,
    attempts=0,
    scheduled=0,
    next_attempt_at=None,
    batches=3,
    splits=2,
    resumed=0,
    resumed_bytes=0,
    skipped_offsets=0,
    unavailable=0,
    passed_over=0,
    seconds=2.0,
    records_per_second=10_500.0,
)


def printed(run: Summary, *sources: Source) -> str:
    out = io.StringIO()
    summary.show(run, sources, Console(file=out, width=200))
    return out.getvalue()


def test_outcomes_are_printed_with_their_counts() -> None:
    lines = printed(RUN).splitlines()
    for line in ("21,000  read", "10,000  inserted", "1,500  dead", "500  filtered"):
        assert line in [each.strip() for each in lines]
    assert "3 batches in 2.0 s, 10,500 records/s" in lines


def test_what_did_not_happen_is_not_printed() -> None:
    quiet = printed(replace(RUN, counts=Counts(read=10_000, inserted=10_000)))
    for word in ("updated", "retrying", "filtered", "resumed", "skipped", "retried", "scheduled"):
        assert word not in quiet
    assert "0  duplicates" in quiet
    assert "0  dead" in quiet


def test_what_waits_for_the_next_run_is_printed() -> None:
    out = printed(replace(RUN, scheduled=1_200, next_attempt_at="2026-01-02T03:04:05+00:00"))
    assert "scheduled: 1,200 records wait" in out
    assert "2026-01-02T03:04:05+00:00" in out


def test_a_topic_has_no_end_that_could_be_complete() -> None:
    reached = {"partitions": 4, "complete": 1, "gaps": 2, "positions": {}, "layouts": {}}
    files = {"source": "/in/*.jsonl", **reached}
    topic = {"source": "kafka://h:1/t", **reached}
    sources = (source_for("/in/*.jsonl"), source_for("kafka://h:1/t"))
    lines = printed(replace(RUN, sources=(files, topic)), *sources).splitlines()
    assert "/in/*.jsonl: 1 of 4 complete" in lines
    assert "kafka://h:1/t: 4 partitions, 2 with a gap" in lines


def test_partitions_with_nothing_or_not_all_to_read_are_counted() -> None:
    reached = {"partitions": 4, "complete": 0, "gaps": 0, "positions": {}, "layouts": {}}
    topic = {"source": "kafka://h:1/t", **reached, "empty": 2, "held_back": 1, "held_offsets": 7}
    lines = printed(replace(RUN, sources=(topic,)), source_for("kafka://h:1/t")).splitlines()
    text = "4 partitions (2 empty, 1 held back by an open transaction), 0 with a gap"
    assert f"kafka://h:1/t: {text}" in lines


def test_layouts_of_json_are_printed_for_the_first_objects() -> None:
    layouts = {f"file:///{n}.json": "array" for n in range(7)}
    reached = {"partitions": 7, "complete": 7, "gaps": 0, "positions": {}, "layouts": layouts}
    run = replace(RUN, sources=({"source": "/*.json", **reached},))
    lines = printed(run, source_for("/*.json")).splitlines()
    assert lines[-6:] == [
        *(f"file:///{n}.json: array" for n in range(5)),
        "… and others that are not JSON lines",
    ]


def test_several_tables_have_a_line_each() -> None:
    tables = {"orders": Counts(read=2, inserted=1, dead=1), "payments": Counts(read=1, inserted=1)}
    lines = [line.split() for line in printed(replace(RUN, tables=tables)).splitlines()]
    assert ["orders", "2", "1", "1"] in lines
    assert ["payments", "1", "1", "0"] in lines
    assert "orders" not in printed(replace(RUN, tables={"orders": COUNTS}))
    assert replace(RUN, tables=tables).as_json()["tables"]["orders"]["dead"] == 1


def test_it_is_one_flat_object() -> None:
    figures = RUN.as_json()
    assert figures["next_attempt_at"] is None
    assert {name: figures[name] for name in asdict(COUNTS)} == asdict(COUNTS)
    assert "counts" not in figures
