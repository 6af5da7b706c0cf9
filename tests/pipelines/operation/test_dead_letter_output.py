"""How jobs are printed: hostile bytes escaped, times in ISO 8601, bytes in full as base64."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from pipelines.operation import dead_letter_output as output
from sinks.jobs.audit_trail import Entry
from sinks.jobs.stats import Group
from sinks.jobs.store import Job
from transforms.batch.record import JSON, Failure, Origin
from transforms.steps.pipeline_identity import PipelineIdentity

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTILE = b"\x1b[31m\xff\r\n[bold]x"


def job(**changes: Any) -> Job:
    failure = Failure(
        raw=HOSTILE,
        format=JSON,
        origin=Origin("file:///in/a.jsonl", "v1", 17),
        stage="parse",
        category="malformed",
        exception="ValueError",
        message="not [JSON]",
        stack="",
        headers=(("h", b"\x00"), ("empty", None)),
        key=b"k",
    )
    values = {
        "id": 7,
        "target": "t",
        "state": "discarded",
        "failure": failure,
        "attempt": 1,
        "max_attempts": 10,
        "replays": 0,
        "errors": ({"attempt": 1, "at": AT.isoformat(), "error": "not JSON"},),
        "inserted_at": AT,
        "scheduled_at": AT,
        "attempted_at": None,
        "completed_at": None,
        "cancelled_at": None,
        "discarded_at": AT,
        "attempted_by": None,
        "pipeline": PipelineIdentity("p", ("A",), "v"),
    }
    return Job(**{**values, **changes})


def printed(show: Callable[[Console], object]) -> str:
    out = io.StringIO()
    show(Console(file=out, width=240, force_terminal=False))
    return out.getvalue()


@pytest.mark.parametrize(
    ("raw", "text"), [(b"a\n", "a\\n"), (b"\x1b[0m", "\\x1b[0m"), (b"\xff", "\\xff")]
)
def test_everything_but_printable_ascii_is_escaped(raw: bytes, text: str) -> None:
    assert output.as_text(raw) == text


def test_a_list_has_one_line_for_each_job() -> None:
    out = printed(lambda console: output.show_list(console, [job(), job(id=8)]))
    lines = [line for line in out.splitlines() if "a.jsonl@17" in line]
    assert [line.split()[0] for line in lines] == ["7", "8"]
    assert "not [JSON]" in lines[0]
    assert "\x1b" not in out


def test_one_job_is_shown_with_its_bytes_as_text_and_as_hex() -> None:
    out = printed(lambda console: output.show_one(console, job()))
    assert HOSTILE.hex(" ") in out
    assert "\\x1b[31m\\xff" in out
    assert "\x1b" not in out


def test_a_job_as_json_holds_its_bytes_in_full() -> None:
    document = json.loads(json.dumps(output.job_as_json(job())))
    assert document["text"] is None, "they are not UTF-8"
    assert base64.b64decode(document["raw_base64"]) == HOSTILE
    assert base64.b64decode(document["key_base64"]) == b"k"
    assert document["headers"] == [
        {"name": "h", "value_base64": "AA=="},
        {"name": "empty", "value_base64": None},
    ]
    assert (document["discarded_at"], document["completed_at"]) == (AT.isoformat(), None)
    assert (document["pipeline"], document["steps"]) == ("p", ["A"])


def test_jobs_of_no_pipeline_have_nulls() -> None:
    assert output.owner_as_json(None) == {"pipeline": None, "steps": None}


def test_a_group_says_how_old_its_oldest_job_is() -> None:
    oldest = datetime.now(UTC) - timedelta(hours=1)
    group = Group(
        target="t",
        state="discarded",
        stage="parse",
        category="malformed",
        pipeline=None,
        count=3,
        oldest=oldest,
    )
    document = output.group_as_json(group)
    assert document["count"] == 3
    assert document["oldest_age_seconds"] >= 3_600
    assert "3" in printed(lambda console: output.show_stats(console, [group]))


def test_an_entry_of_the_trail_is_one_line() -> None:
    entry = Entry(
        id=1, at=AT, action="purge", actor="a", count=2, reason="[x]", filter={"stage": "read"}
    )
    (line,) = [
        line
        for line in printed(lambda console: output.show_audit(console, [entry])).splitlines()
        if "purge" in line
    ]
    assert "[x]" in line
    assert output.entry_as_json(entry)["at"] == AT.isoformat()
