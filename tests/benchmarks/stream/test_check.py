"""Whatever is lost, doubled, altered or filed wrongly is found, and only that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.stream.check import Contents, Findings, Job, Place, compare, unlogged
from benchmarks.stream.feed import Produced
from benchmarks.stream.records import COLUMNS, DEAD, GOOD, LATE, NEVER, Record, Row

KEPT = b'{"id":"good","n":1,"quantity":2,"code":"c"}'
BEHIND = b'{"id":"shared","n":4,"quantity":3,"code":"d"}'
REFUSED = b'{"id":"shared","n":3,"quantity":0,"code":"d"}'

MADE = {
    "good": [
        Produced(Record(0, "good", GOOD, KEPT), 0),
        Produced(Record(1, "good", GOOD, KEPT), 0),
    ],
    "shared": [
        Produced(Record(0, "shared", "check", REFUSED), 1),
        Produced(Record(0, "shared", GOOD, BEHIND), 2),
    ],
}
JOB = Job("discarded", "write", "constraint", REFUSED)
RIGHT = Contents(
    rows={"good": (1, 2, "c", None, None, None), "shared": (4, 3, "d", None, None, None)},
    jobs={(0, 1): [JOB]},
    applied={1: 1, 4: 1},
)


def found_wrong(contents: Contents, *, update: bool = False) -> list[Place]:
    findings = Findings()
    compare(MADE, contents, findings, update=update)
    assert findings.ok is not bool(findings.wrong or findings.other)
    return sorted(place for place, _ in findings.wrong)


def without(rows: Mapping[str, Row], key: str) -> dict[str, Row]:
    return {each: row for each, row in rows.items() if each != key}


@pytest.mark.parametrize("update", [False, True])
def test_what_is_as_it_should_be_is_found_so(update: bool) -> None:
    assert found_wrong(RIGHT, update=update) == []


@pytest.mark.parametrize(
    ("change", "places"),
    [
        pytest.param(
            lambda contents: replace(contents, rows=without(contents.rows, "shared")),
            [(0, 2)],
            id="a good record lost behind a refused one",
        ),
        pytest.param(
            lambda contents: replace(
                contents, rows={**contents.rows, "good": (1, 2, "x", *[None] * 3)}
            ),
            [(0, 0)],
            id="a row altered",
        ),
        pytest.param(
            lambda contents: replace(contents, jobs={}),
            [(0, 1)],
            id="a dead letter lost",
        ),
        pytest.param(
            lambda contents: replace(contents, jobs={(0, 1): [JOB, JOB]}),
            [(0, 1)],
            id="a dead letter doubled",
        ),
        pytest.param(
            lambda contents: replace(contents, jobs={(0, 1): [replace(JOB, category="data")]}),
            [(0, 1)],
            id="a dead letter of another category",
        ),
        pytest.param(
            lambda contents: replace(contents, jobs={(0, 1): [replace(JOB, raw=BEHIND)]}),
            [(0, 1)],
            id="a dead letter with another record's bytes",
        ),
        pytest.param(
            lambda contents: replace(contents, jobs={(0, 1): [replace(JOB, state="retryable")]}),
            [(0, 1)],
            id="a record that still waits",
        ),
        pytest.param(
            lambda contents: replace(
                contents, jobs={**contents.jobs, (1, 0): [Job("discarded", "write", "data", KEPT)]}
            ),
            [(1, 0)],
            id="a good record in the dead letters",
        ),
        pytest.param(
            lambda contents: replace(contents, applied={1: 1, 4: 2}),
            [(0, 2)],
            id="a record applied twice",
        ),
    ],
)
@pytest.mark.parametrize("update", [False, True])
def test_what_is_wrong_is_found_at_its_offset(
    change: Callable[[Contents], Contents], places: Sequence[Place], update: bool
) -> None:
    assert found_wrong(change(RIGHT), update=update) == places


CHILD = b'{"id":"child","n":5,"quantity":1,"code":"c","parent":"good"}'
TRIED = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("update", [False, True])
@pytest.mark.parametrize(
    ("gave_up", "came", "wrong"),
    [
        pytest.param(TRIED, TRIED + timedelta(seconds=1), False, id="before its parent came"),
        pytest.param(TRIED, TRIED - timedelta(seconds=14), False, id="perhaps before its commit"),
        pytest.param(TRIED, TRIED - timedelta(seconds=16), True, id="its parent was there"),
        pytest.param(None, TRIED, True, id="not all attempts were made"),
    ],
)
def test_a_child_is_a_dead_letter_only_if_its_attempts_ended_before_its_parent_came(
    gave_up: datetime | None, came: datetime, wrong: bool, update: bool
) -> None:
    made = {**MADE, "child": [Produced(Record(0, "child", LATE, CHILD), 3)]}
    job = Job("discarded", *DEAD[NEVER], CHILD, gave_up=gave_up)
    contents = replace(RIGHT, jobs={**RIGHT.jobs, (0, 3): [job]}, came={"good": came})
    findings = Findings()
    compare(made, contents, findings, update=update)
    assert {place for place, _ in findings.wrong} == ({(0, 3)} if wrong else set())
    assert findings.counts[LATE, "dead"] == 1
    other = {(0, 3): [replace(job, category="data")]}
    compare(made, replace(contents, jobs={**RIGHT.jobs, **other}), findings, update=update)
    assert (0, 3) in {place for place, _ in findings.wrong}


def test_under_update_a_record_may_be_applied_once_for_each_of_its_copies() -> None:
    twice = replace(RIGHT, applied={1: 2, 4: 1})
    assert found_wrong(twice, update=True) == []
    assert found_wrong(twice, update=False) == [(0, 0)]


def test_what_was_never_produced_is_found() -> None:
    row = (9, 1, "c", *[None] * (len(COLUMNS) - 3))
    findings = Findings()
    compare(MADE, replace(RIGHT, rows={**RIGHT.rows, "stranger": row}), findings, update=False)
    jobs = {**RIGHT.jobs, (0, 7): [Job("discarded", *DEAD["schema"], b"")]}
    compare(MADE, replace(RIGHT, jobs=jobs), findings, update=False)
    assert len(findings.other) == 2
    assert not findings.ok


def test_the_log_must_have_every_offset_of_the_topic_once() -> None:
    assert list(unlogged(MADE, {0: 3, 1: 1, 2: 0})) == []
    assert len(list(unlogged(MADE, {0: 4, 1: 1}))) == 1
    assert len(list(unlogged(MADE, {0: 2, 1: 1}))) == 1
    assert len(list(unlogged({**MADE, "again": MADE["good"][:1]}, {0: 3, 1: 1}))) == 1


def test_at_most_twenty_offsets_are_shown() -> None:
    findings = Findings(wrong=[((0, offset), "lost") for offset in range(500)])
    shown = list(findings.lines())
    assert shown[0].startswith("500 offsets")
    assert len(shown) == 21
