"""How jobs are printed: hostile bytes escaped, times in ISO 8601, bytes in full as base64."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from pipelines.operation import dead_letter_output as output
from sinks.jobs.audit_trail import Entry
from sinks.jobs.stats import Group
from sinks.jobs.store import Job
from transforms.batch.expansion import Branch
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


def printed(show: Callable[[Console], object], *, terminal: int = 0) -> str:
    """What is printed on a terminal of this width, or into a file."""
    out = io.StringIO()
    show(Console(file=out, width=terminal or 100, force_terminal=bool(terminal), no_color=True))
    return out.getvalue()


def failing(message: str, **changes: Any) -> Job:
    return job(failure=replace(job().failure, message=message, **changes))


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


LONG = "invalid input syntax\nCONTEXT:  COPY t, line 1, column age: " + "word " * 60 + "end"


class TestAList:
    def listed(self, *jobs: Job, terminal: int = 0) -> list[str]:
        out = printed(lambda console: output.show_list(console, jobs), terminal=terminal)
        return out.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()

    def test_in_a_file_each_job_is_one_line_with_its_whole_message(self) -> None:
        heading, line = self.listed(failing(LONG))
        assert heading.split() == (
            [
                "id",
                "first",
                "failed",
                "state",
                "table",
                "pipeline",
                "stage",
                "category",
                "where",
                "bytes",
                "message",
            ]
        )
        assert line.startswith("7   2026-01-02T03:04:05Z  discarded  t      p [A]")
        assert line.endswith(LONG.replace("\n", " "))

    def test_on_a_wide_terminal_the_message_goes_on_in_its_own_column(self) -> None:
        heading, first, *more = self.listed(failing(LONG), terminal=150)
        indent = heading.index("message")
        assert all(len(line) <= 150 for line in (first, *more))
        assert all(line[:indent].isspace() for line in more)
        *message, preview = (line[indent:] for line in (first, *more))
        assert " ".join(" ".join(message).split()) == " ".join(LONG.split())
        assert preview == "\\x1b[31m\\xff\\r\\n[bold]x"

    def test_on_a_narrow_terminal_the_message_stands_below_its_job(self) -> None:
        heading, job_line, *more = self.listed(failing(LONG), terminal=80)
        assert heading.split()[-1] == "where"
        assert job_line.split()[-1] == "a.jsonl@17"
        assert all(len(line) <= 80 and line.startswith("    ") for line in more)
        assert " ".join(" ".join(more[:-1]).split()) == " ".join(LONG.split())

    def test_columns_are_aligned_whatever_the_width_of_their_characters(self) -> None:
        wide = job(target="日本語", pipeline=PipelineIdentity("日本語"))
        plain = job(target="t", pipeline=PipelineIdentity("t"))
        lines = self.listed(wide, plain)
        assert len({cell_len(line[: line.index("parse")]) for line in lines[1:]}) == 1

    def test_a_pipeline_is_named_where_it_is_not_simply_that_of_the_table(self) -> None:
        plain = job(pipeline=PipelineIdentity("t"))
        assert "pipeline" not in self.listed(plain)[0]
        heading, _, line = self.listed(plain, job(pipeline=None))
        assert "pipeline" in heading
        assert "nobody's" in line

    def test_the_partition_of_a_topic_is_named(self) -> None:
        message = job(failure=replace(job().failure, origin=Origin("kafka://orders", "3@abc", 9)))
        assert " orders/3@9 " in self.listed(message)[1]

    def test_a_message_cannot_break_its_line_or_the_terminal(self) -> None:
        _, line = self.listed(failing("a\r\nb\tc\x1b[2J\u202e"))
        assert line.endswith("a b c\\x1b[2J\\u202e")

    def test_a_record_that_is_longer_than_its_preview_is_cut_in_sight(self) -> None:
        _, line = self.listed(failing("no", raw=b"x" * 100))
        assert f" {'x' * (output.PREVIEW - 1)}…  no" in line


def test_a_value_of_one_job_is_one_line_in_a_file_however_long() -> None:
    long = failing("word " * 60 + "end", raw=b"x" * 5_000)
    lines = printed(lambda console: output.show_one(console, long)).splitlines()
    (message,) = [line for line in lines if line.startswith("message")]
    assert message.endswith("  " + "word " * 60 + "end")
    (raw,) = [line for line in lines if line.startswith("bytes")]
    assert raw.split() == ["bytes", "(first", "2,000)", "x" * 2_000]


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


def test_one_of_several_is_named_by_its_step() -> None:
    origin = Origin("file:///in/a.jsonl", "v1", 17, expansion=(Branch(2, 5, "Lines"),))
    line = job(failure=replace(job().failure, origin=origin))
    assert "record 2 (from 0) of the 5 that step Lines made of one" in printed(
        lambda console: output.show_one(console, line)
    )
    assert "a.jsonl@17[2/5]" in printed(lambda console: output.show_list(console, [line]))
    assert output.job_as_json(line)["expansion"] == "2/5:Lines"
    assert output.job_as_json(job())["expansion"] is None


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
