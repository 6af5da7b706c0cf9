"""The columns of many first failures are those of one at a time."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from sinks.jobs import owner as job_owner
from sinks.jobs.columns import columns_of
from sinks.jobs.first.columns import Columns, Entry, columns_of_first
from sinks.jobs.first.origin import origin_of
from tests.io.sinks.jobs.queued_jobs import PIPELINE, retryable
from transforms.batch.expansion import Branch, text_of
from transforms.batch.record import Format, Headers, Origin
from transforms.batch.retry_policy import Next

AT = datetime(2026, 1, 2, tzinfo=UTC)
OWNER = job_owner.columns_of("events", PIPELINE)
DEAD, AGAIN, LATER = Next("discarded", 1), Next("retryable", 1, 2.5), Next("scheduled", 0, 9.0)
PLAIN = [(retryable(n), DEAD, 3) for n in range(3)]
HOSTILE = [
    (retryable(0, message="a\x00b\ud800c", stack="x" * 9_000), DEAD, 3),
    (retryable(1, partition="ü", category="c" * 300, sqlstate="22003"), AGAIN, 3),
    (retryable(2, format=Format("csv", ("a",), ";"), target="orders"), LATER, 9),
    (retryable(3, key=b"\x00", headers=(("h", b"\xff"), ("h", None)), event_time=-0.0), DEAD, 3),
    (retryable(4, event_time=0.0, raw=b"\t\\\n"), Next("retryable", 1, 2.5), 3),
    (retryable(5, origin=Origin("s", "p", 5, 2, (Branch(0, 2, "a,b"),))), DEAD, 3),
]


def one_at_a_time(entry: Entry) -> dict[str, Any]:
    failure, following, most = entry
    origin = failure.origin
    headers: dict[Headers, str | None] = {
        (): None,
        (("h", b"\xff"), ("h", None)): '[["h","/w=="],["h",null]]',
    }
    csv = '{"name":"csv","columns":["a"],"delimiter":";"}'
    of_attempt = columns_of(
        *(failure, following),
        attempt=1,
        replay=0,
        errors=(),
        at=AT,
        run="r",
        version=OWNER["version"],
    )
    return {
        "target": failure.target or "events",
        "read_by": "reader",
        "origin": origin_of("reader", origin),
        "source": origin.source,
        "partition": origin.partition,
        "offset": origin.offset,
        "element": origin.element,
        "expansion": text_of(origin.expansion) or None,
        "raw": failure.raw,
        "format": csv if failure.format.name == "csv" else '{"name":"json"}',
        "event_time": failure.event_time,
        "key": failure.key,
        "headers": headers[failure.headers],
        "max_attempts": most,
        "replays": 0,
        "inserted_at": AT,
        "attempted_at": AT,
        **of_attempt,
        **OWNER,
    }


def columns(entries: Sequence[Entry]) -> Columns:
    return columns_of_first("reader", "events", entries, AT, "r", OWNER)


@pytest.mark.parametrize("entries", [PLAIN, PLAIN[:1], HOSTILE, [*PLAIN, *HOSTILE[3:]]])
def test_rows_are_those_of_one_at_a_time(entries: Sequence[Entry]) -> None:
    rows = columns(entries).rows(0, len(entries))
    last = {entry[0].origin: entry for entry in entries}
    expected = [one_at_a_time(entry) for entry in last.values()]
    assert [repr(sorted(row.items())) for row in rows] == [
        repr(sorted(row.items())) for row in expected
    ], "also 0.0 and -0.0 are told apart"


def test_what_is_equal_is_kept_once() -> None:
    gathered = columns(PLAIN)
    assert set(gathered.own) == {"origin", "offset", "raw"}
    assert gathered.of("state") == ["discarded"] * 3


def test_of_several_with_one_origin_the_last_counts() -> None:
    first, second = (retryable(0, message=text) for text in ("first", "second"))
    (row,) = columns([(first, DEAD, 3), (second, DEAD, 3)]).rows(0, 1)
    assert row["message"] == "second"


def test_large_rows_are_divided() -> None:
    big = [(retryable(n, raw=b"x" * 40, message="", stack=""), DEAD, 3) for n in range(7)]
    gathered = columns(big)
    assert list(gathered.pieces(100, 1_000)) == [(0, 7)]
    assert list(gathered.pieces(3, 1_000)) == [(0, 3), (3, 6), (6, 7)]
    assert list(gathered.pieces(100, 85)) == [(0, 2), (2, 4), (4, 6), (6, 7)]
    assert list(gathered.pieces(100, 10)) == [(n, n + 1) for n in range(7)]
    assert gathered.rows(6, 7)[0]["origin"] == uuid.UUID(hex=gathered.own["origin"][6])
