"""What is printed of a plan."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipelines.planning import report
from pipelines.planning.detected import Detected
from pipelines.planning.plan import NO_ROLLBACK, Example, Kind, Plan
from pipelines.planning.sample import Sample
from sinks.rehearsal.attempt import Attempt
from transforms.batch.counts import Counts
from transforms.notes import Note
from transforms.route.table_name import UNROUTED

COUNTS = Counts(read=200, inserted=150, updated=20, duplicates=10, dead=18, retrying=2)
TRIED = Attempt(
    home="orders",
    settled=(),
    tables=("orders",),
    created=("orders",),
    statements=(
        "CREATE TABLE ingest_jobs (\n\tid INTEGER)",
        "CREATE INDEX ingest_jobs_state ON ingest_jobs (state)",
        'CREATE TABLE IF NOT EXISTS "orders" ("id" bigint)',
    ),
    sequences={"public.numbers": (None, 3), "public.ingest_jobs_id_seq": (4, 9)},
    triggers={"orders": ["notify", "check"]},
    seconds=0.5,
)
KINDS = (
    Kind(
        *("dead", "orders", "write", "constraint", 18),
        examples=(Example("file:///a.csv", "v1", "12", "amount is negative"),),
    ),
    Kind("retrying", "orders", "write", "foreign_key", 2, ()),
)
PLAN = Plan(
    sample=Sample(records=200, bytes=4_000, seconds=0.1, by_source={"a.csv": 200}),
    shaped_seconds=0.2,
    detected=(Detected("file:///a.csv", 200, "csv", "gzip", "", ";", '"', ("id", "amount")),),
    notes=(Note("passed_over", "empty", 1, ("file:///b.csv",)),),
    counts=COUNTS,
    left_out=0,
    untried={},
    why_untried="",
    tables={"orders": COUNTS},
    kinds=KINDS,
    attempt=TRIED,
    missing=(),
    steps=("Enrich", "Hide"),
    called=False,
)


def test_people_read_what_a_run_would_do() -> None:
    assert list(report.lines(PLAN)) == [
        "sample: 200 records, 4,000 bytes",
        "  file:///a.csv: 200 records; csv, gzip, delimiter ;, fields id, amount",
        "  passed over (empty): file:///b.csv",
        (
            "2 steps were not called (Enrich, Hide), so records passed unchanged; --call_steps calls "
            "them"
        ),
        "would execute",
        '  CREATE TABLE IF NOT EXISTS "orders" ("id" bigint);',
        "would create 1 table of Sluice itself (ingest_…); --json has all statements",
        "table orders: 200 read, 150 inserted, 20 updated, 10 duplicates, 18 dead, 2 retrying",
        "dead: 18 records for orders, at write: constraint",
        "  file:///a.csv (v1) 12: amount is negative",
        "retrying: 2 records for orders, at write: foreign_key",
        "sequence public.numbers stays advanced: unused → 3",
        "sequence public.ingest_jobs_id_seq stays advanced: 4 → 9",
        (
            "triggers of table orders may have run: notify, check; what they do outside of the "
            "database stays"
        ),
        "2,000 records/s read, 1,000 records/s mapped and checked, 400 records/s written",
        "all of it was taken back: nothing was written",
    ]


def test_programs_read_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    report.show(PLAN, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert (printed["read"], printed["dead"], printed["untried"]) == (200, 18, {})
    assert printed["tables"]["orders"]["inserted"] == 150
    assert printed["failures"][0]["examples"][0]["message"] == "amount is negative"
    assert printed["detected"][0]["columns"] == ["id", "amount"]
    assert printed["statements"] == list(TRIED.statements)
    assert printed["created"] == ["orders"]
    assert printed["remains"] == {
        "sequences": {
            "public.numbers": {"before": None, "after": 3},
            "public.ingest_jobs_id_seq": {"before": 4, "after": 9},
        },
        "triggers": {"orders": ["notify", "check"]},
        "steps": [],
    }
    assert printed["steps_not_called"] == ["Enrich", "Hide"]
    assert printed["rates"] == {"read": 2_000.0, "shaped": 1_000.0, "written": 400.0}


def test_steps_that_were_called_are_named() -> None:
    called = replace(PLAN, called=True, steps=("Enrich",))
    assert "1 step was called: Enrich" in list(report.lines(called))
    assert report.as_object(called)["remains"]["steps"] == ["Enrich"]
    assert report.as_object(called)["steps_not_called"] == []


def test_where_nothing_can_be_tried_it_says_so() -> None:
    counts = Counts(read=3, dead=1)
    looked_at = replace(
        PLAN,
        attempt=None,
        counts=counts,
        tables={},
        untried={"orders": 2},
        why_untried=NO_ROLLBACK,
        missing=("orders",),
        kinds=(),
        steps=(),
    )
    printed = list(report.lines(looked_at))
    assert printed[3:] == [
        "would create table orders",
        "3 read, 1 dead",
        f"not tried: 2 records for orders ({NO_ROLLBACK})",
        "2,000 records/s read, 1,000 records/s mapped and checked",
        f"nothing was written: {NO_ROLLBACK}",
    ]


def test_what_concerns_no_table_is_said_so() -> None:
    kind = Kind("dead", UNROUTED, "parse", "malformed", 1, ())
    counts = Counts(read=1, dead=1)
    printed = list(report.lines(replace(PLAN, kinds=(kind,), tables={UNROUTED: counts})))
    assert "dead: 1 record, at parse: malformed" in printed
    assert "no table: 1 read, 0 inserted, 0 updated, 0 duplicates, 1 dead" in printed


def test_records_that_were_left_out_are_counted() -> None:
    line = (
        "left out: the last 100 records of the sample, since a trial with them holds others up for "
        "too long"
    )
    part = replace(PLAN, left_out=100)
    assert line in list(report.lines(part))
    assert report.as_object(part)["left_out"] == 100


def test_of_many_tables_and_kinds_people_see_the_first() -> None:
    many = replace(
        PLAN,
        tables={f"t{n:02}": COUNTS for n in range(25)},
        kinds=tuple(replace(KINDS[1], table=f"t{n:02}") for n in range(21)),
        attempt=replace(TRIED, statements=tuple(f"CREATE TABLE t{n}" for n in range(23))),
    )
    printed = list(report.lines(many))
    assert sum(line.startswith("table t") for line in printed) == 20
    assert [line for line in printed if line.startswith("  … and")] == [
        "  … and 3 statements more; --json has all",
        "  … and 5 tables more; --json has all",
        "  … and 1 kind more; --json has all",
    ]
    assert len(report.as_object(many)["tables"]) == 25


def test_an_empty_sample_is_one_line() -> None:
    empty = replace(PLAN, sample=Sample(), detected=(), notes=(), attempt=None)
    (line,) = report.lines(empty)
    assert line.startswith("nothing to try: the sources have no records that are not settled")
    assert "--from_start" in line


def test_hostile_names_and_secrets_are_not_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = 'postgresql://me:hunter2@host/db \u202e said password="hunter2"'
    example = Example("file:///\x1b[2J", "v", "1", text)
    hostile = replace(PLAN, kinds=(replace(KINDS[0], examples=(example,)),))
    for as_json in (False, True):
        report.show(hostile, as_json=as_json)
        out = capsys.readouterr().out
        assert "hunter2" not in out
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "host/db" in out
    assert json.loads(out)["dead"] == 18  # what is hidden is no part of the syntax
