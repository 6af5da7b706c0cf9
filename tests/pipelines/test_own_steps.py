"""A program's own steps on a database: no retry and no replay gets around them."""

from __future__ import annotations

import hashlib
import json
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import command
from pipelines import ingest as program
from pipelines.ingest import ingest
from pipelines.ingestion.options import with_defaults
from sinks.database import leases
from sinks.database.engine import dispose_engines
from tests.pipelines.commands import dead_letters, printed
from tests.pipelines.programs import ROOT
from tests.pipelines.tables import query
from transforms.batch.record import Record
from transforms.errors import Reject, RetryLater
from transforms.steps.each_record import EachRecord

pytestmark = pytest.mark.slow

NOBODY = "pipeline = NULL, steps = NULL, version = NULL, owner = NULL"
"""What jobs have that were stored before pipelines had names."""

READY: set[int] = set()
"""Records that ``hide`` can treat; it is not ready for the others."""


@pytest.fixture(autouse=True)
def not_ready() -> Iterator[None]:
    READY.clear()
    yield
    READY.clear()


def hide(record: Record) -> Record:
    """Hash the e-mail; odd records are tried again at first, even ones rejected."""
    number = record.value["id"]
    if number not in READY:
        raise RetryLater("not yet") if number % 2 else Reject("no tenant", "tenant")
    return record.with_value({**record.value, "email": hashed(number)})


def hashed(number: int) -> str:
    return hashlib.sha256(f"{number}@example.org".encode()).hexdigest()


HIDE = EachRecord(hide, "Hide")


@pytest.fixture
def people(sink: str, tmp_path: Path) -> dict[str, Any]:
    """The options of a program that reads four people into a table."""
    query(sink, "CREATE TABLE people (id integer PRIMARY KEY, email text)")
    lines = [json.dumps({"id": n, "email": f"{n}@example.org"}) + "\n" for n in range(4)]
    (tmp_path / "people.jsonl").write_text("".join(lines))
    (tmp_path / "other.jsonl").write_text('{"id":9,"email":"open"}\n')
    return {
        "source": f"{tmp_path}/people.jsonl",
        "sink": sink,
        "table": "people",
        "key": "id",
        "retry_wait": 0,
        "backoff_base": 3600,
        "backoff_cap": 3600,
        "no_progress": True,
    }


def fail_all(people: dict[str, Any], sink: str) -> None:
    """Run the program before it is ready: its retries and its replayed dead letters are due."""
    assert ingest(steps=[HIDE], argv=[], **people) == 0
    assert letters(sink, "replay", "--stage", "Hide") == 0
    make_due(sink)


def make_due(sink: str) -> None:
    query(sink, "UPDATE ingest_queue SET due_at = '2020-01-01 00:00:00'")


def letters(sink: str, action: str, *argv: str) -> int:
    flags = [action, "--sink", sink, "--table", "people", "--reason", "test", *argv]
    return dead_letters(*flags)


def rows(sink: str) -> list[tuple[Any, ...]]:
    return query(sink, "SELECT id, email FROM people ORDER BY id")


def states(sink: str) -> list[str]:
    return [state for (state,) in query(sink, "SELECT state FROM ingest_jobs ORDER BY id")]


def plain(people: dict[str, Any], tmp_path: Path, *argv: str) -> int:
    """Another program on the same table, without steps."""
    options = {**people, "source": f"{tmp_path}/other.jsonl"}
    return command.run("ingest", program.main, with_defaults(argv, options))


class TestNoWayAround:
    def test_a_program_without_the_step_leaves_retries_and_replays_and_says_so(
        self,
        people: dict[str, Any],
        sink: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        fail_all(people, sink)
        assert "2 of pipeline people [Hide]" in capsys.readouterr().out
        summary = tmp_path / "summary.json"
        assert plain(people, tmp_path, "--summary_json", str(summary)) == 0
        lines = printed(capsys.readouterr().err)
        line = "4 jobs of table people wait for pipeline people [Hide]; this program is people []"
        assert lines == [f"ingest: {line}"]
        (left,) = json.loads(summary.read_text())["left"]
        assert (left["jobs"], left["owner"]["steps"]) == (4, ["Hide"])
        assert rows(sink) == [(9, "open")]

    def test_the_program_itself_takes_its_retries_and_replays(
        self, people: dict[str, Any], sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fail_all(people, sink)
        assert rows(sink) == []
        READY.update(range(4))
        capsys.readouterr()
        assert ingest(steps=[HIDE], argv=[], **people) == 0
        assert "wait for" not in capsys.readouterr().err
        assert rows(sink) == [(n, hashed(n)) for n in range(4)]
        assert set(states(sink)) == {"completed"}

    def test_a_program_of_another_name_leaves_them_too(
        self, people: dict[str, Any], sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It reads the source itself, and the jobs of the first wait on."""
        fail_all(people, sink)
        before = states(sink)
        READY.update(range(4))
        assert ingest(steps=[HIDE], argv=["--pipeline", "others"], **people) == 0
        assert states(sink) == before
        assert "wait for pipeline people [Hide]; this program is others [Hide]" in (
            capsys.readouterr().err
        )

    def test_after_a_step_was_renamed_its_jobs_wait_until_they_are_adopted(
        self, people: dict[str, Any], sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fail_all(people, sink)
        READY.update(range(4))
        renamed = [EachRecord(hide, "Conceal")]
        assert ingest(steps=renamed, argv=[], **people) == 0
        assert rows(sink) == []
        to = ("--pipeline", "people", "--steps", "Conceal")
        assert letters(sink, "adopt", *to, "--from_pipeline", "people", "--from_steps", "Hide") == 0
        assert ingest(steps=renamed, argv=[], **people) == 0
        assert rows(sink) == [(n, hashed(n)) for n in range(4)]

    def test_two_programs_with_other_steps_run_on_one_table(
        self, people: dict[str, Any], sink: str, tmp_path: Path
    ) -> None:
        """Each takes its own retries only, whichever runs first."""

        def open_later(record: Record) -> Record:
            if record.value["id"] not in READY:
                raise RetryLater("not yet")
            return record

        opens = [EachRecord(open_later, "Open")]
        other = {**people, "source": f"{tmp_path}/other.jsonl"}
        assert ingest(steps=[HIDE], argv=[], **people) == 0
        assert ingest(steps=opens, argv=[], **other) == 0
        make_due(sink)
        READY.update([1, 3, 9])
        assert ingest(steps=opens, argv=[], **other) == 0
        assert rows(sink) == [(9, "open")]
        assert ingest(steps=[HIDE], argv=[], **people) == 0
        assert rows(sink) == [(1, hashed(1)), (3, hashed(3)), (9, "open")]


class TestAdopt:
    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (["--pipeline", "people", "--from_pipeline", "others"], "--no_steps"),
            (["--pipeline", "people", "--steps", "A", "--no_steps"], "--no_steps"),
            (["--steps", "A"], "--pipeline NAME"),
            (["--pipeline", "people", "--steps", "A,A"], "'A'"),
            (["--pipeline", "people", "--no_steps", "--from_steps", "A"], "--from_pipeline"),
        ],
    )
    def test_where_jobs_are_to_go_is_said_whole(
        self, flags: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        assert letters(f"sqlite:///{tmp_path}/a.db", "adopt", *flags) == command.USAGE
        (line,) = printed(capsys.readouterr().err)
        assert message in line

    def test_jobs_of_nobody_go_to_the_one_pipeline_of_that_name(
        self, people: dict[str, Any], sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fail_all(people, sink)
        query(
            sink, f"UPDATE ingest_jobs SET {NOBODY} WHERE id <> (SELECT max(id) FROM ingest_jobs)"
        )
        assert letters(sink, "adopt", "--pipeline", "people") == 0
        assert "people [Hide]" in capsys.readouterr().out
        assert query(sink, "SELECT DISTINCT pipeline, steps FROM ingest_jobs") == [
            ("people", '["Hide"]')
        ]

    def test_without_any_sign_of_steps_the_pipeline_has_none(
        self, people: dict[str, Any], sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fail_all(people, sink)
        query(sink, f"UPDATE ingest_jobs SET {NOBODY}, stage = 'write'")
        assert letters(sink, "adopt", "--pipeline", "people") == 0
        assert "people []" in capsys.readouterr().out
        assert query(sink, "SELECT DISTINCT pipeline, steps FROM ingest_jobs") == [("people", "[]")]

    def test_a_job_that_failed_in_an_unknown_step_is_never_taken_past_it(
        self, people: dict[str, Any], sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fail_all(people, sink)
        query(sink, f"UPDATE ingest_jobs SET {NOBODY}")
        capsys.readouterr()
        assert letters(sink, "adopt", "--pipeline", "people") == command.USAGE
        (line,) = printed(capsys.readouterr().err)
        assert "failed in the step Hide; give --steps" in line

    def test_of_several_pipelines_with_one_name_the_steps_are_asked_for(
        self, people: dict[str, Any], sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fail_all(people, sink)
        first, last = "(SELECT min(id) FROM ingest_jobs)", "(SELECT max(id) FROM ingest_jobs)"
        query(sink, f"UPDATE ingest_jobs SET {NOBODY} WHERE id = {first}")
        query(sink, f"UPDATE ingest_jobs SET steps = '[]' WHERE id = {last}")
        capsys.readouterr()
        assert letters(sink, "adopt", "--pipeline", "people") == command.USAGE
        (line,) = printed(capsys.readouterr().err)
        assert "people [Hide], people []; give --steps" in line

    def test_who_adopted_what_is_in_the_audit_trail(
        self, people: dict[str, Any], sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert ingest(steps=[HIDE], argv=[], **people) == 0
        to = ("--pipeline", "mine", "--steps", "Hide,More", "--by", "ann")
        assert letters(sink, "adopt", *to, "--from_pipeline", "people") == 0
        assert "4 adopted" in capsys.readouterr().out
        ((actor, count, which),) = query(
            sink, "SELECT actor, count, CAST(filter AS text) FROM ingest_audit"
        )
        assert (actor, count) == ("ann", 4)
        assert json.loads(which)["to"] == {"pipeline": "mine", "steps": ["Hide", "More"]}
        assert json.loads(which)["pipeline"] == "people"
        flags = ["list", "--sink", sink, "--pipeline", "mine", "--state", "all", "--json"]
        assert dead_letters(*flags) == 0
        jobs = json.loads(capsys.readouterr().out)
        assert [each["steps"] for each in jobs] == [["Hide", "More"]] * 4


def readme_program() -> str:
    """The Python program that README shows."""
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (block,) = blocks
    return str(block)


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The program's working folder, with its source; its database has a relative path."""
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "a.jsonl").write_text(
        '{"order_id":1,"amount":1.5}\n{"order_id":2,"amount":null}\n'
    )
    monkeypatch.chdir(tmp_path)
    dispose_engines()
    yield
    leases.release_all()
    dispose_engines()


@pytest.mark.usefixtures("orders")
def test_the_program_in_the_readme_takes_its_own_retries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["program.py", "--no_progress", "--fail_on_dead_letters"])

    def code_of(text: str) -> object:
        Path("program.py").write_text(text)
        with pytest.raises(SystemExit) as ended:
            runpy.run_path("program.py", run_name="__main__")
        return ended.value.code

    assert code_of(readme_program()) == command.DEAD_LETTERS
    where = ("--sink", "sqlite:///orders.db", "--reason", "the amount is optional now")
    assert dead_letters("replay", *where) == 0
    changed = readme_program().replace('raise Reject("no amount", "no_amount")', "return record")
    assert changed != readme_program()
    assert code_of(changed) == command.OK
    payloads = [json.loads(text) for (text,) in query(f"sqlite:///{tmp_path}/orders.db", ORDERS)]
    assert [each.get("cents") for each in payloads] == [150, None]


ORDERS = "SELECT payload FROM orders ORDER BY order_id"


ENDING = [True]


def end_the_program(record: Record) -> Record:
    if ENDING and record.value["id"] == 2:
        sys.exit(7)
    return record


def test_a_step_that_ends_the_program_is_one_line_and_its_records_are_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_text('{"id":1}\n{"id":2}\n{"id":3}\n')
    where = {"source": f"{tmp_path}/a.jsonl", "sink": f"sqlite:///{tmp_path}/a.db", "table": "t"}
    steps = [EachRecord(end_the_program, "End")]
    assert ingest(steps=steps, argv=["--no_progress"], **where) == command.FAILED
    (line,) = printed(capsys.readouterr().err)
    assert line.startswith(
        f"ingest: step 'End' called sys.exit(7) at offset 9 of file://{tmp_path}"
    )
    assert query(where["sink"], "SELECT count(*) FROM ingest_progress") == [(0,)]
    ENDING.clear()
    assert ingest(steps=steps, argv=["--no_progress"], **where) == command.OK
    assert query(where["sink"], "SELECT count(*) FROM t") == [(3,)]
