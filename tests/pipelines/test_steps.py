"""A program's own steps: what they are called, and that no retry gets around them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
import sqlalchemy as sa
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from pipelines import command, dead_letters
from pipelines import ingest as program
from pipelines.ingest import ingest
from pipelines.ingestion.options import with_defaults
from pipelines.ingestion.steps import applied, identity_of
from tests.fakes import batch_of
from transforms.batch.backoff import Backoff
from transforms.batch.record import Record
from transforms.batch.retry_policy import RetryPolicy
from transforms.errors import ConfigError, Reject, RetryLater
from transforms.parse.parse import Parse
from transforms.steps.each_record import EachRecord
from transforms.steps.pipeline_identity import PipelineIdentity
from transforms.steps.retry import Retry

ROOT = Path(__file__).resolve().parents[2]

NOBODY = "pipeline = NULL, steps = NULL, version = NULL, owner = NULL"
"""What jobs have that were stored before pipelines had names."""

READY: set[int] = set()
"""Records that ``hide`` can treat; it is not ready for the others."""


@pytest.fixture(autouse=True)
def not_ready() -> Iterator[None]:
    READY.clear()
    yield
    READY.clear()


def keep(record: Record) -> Record:
    return record


def hide(record: Record) -> Record:
    """Hash the e-mail; odd records are tried again at first, even ones rejected."""
    number = record.value["id"]
    if number not in READY:
        raise RetryLater("not yet") if number % 2 else Reject("no tenant", "tenant")
    return record.with_value({**record.value, "email": hashed(number)})


def hashed(number: int) -> str:
    return hashlib.sha256(f"{number}@example.org".encode()).hexdigest()


HIDE = EachRecord(hide, "Hide")


class TestIdentity:
    def test_it_is_the_labels_in_order(self) -> None:
        steps = (EachRecord(keep, "One"), "Two" >> EachRecord(keep, "Other"))
        assert identity_of("mine", steps) == PipelineIdentity("mine", ("One", "Two"))

    def test_a_step_that_only_schedules_is_none_of_the_labels(self) -> None:
        policy = Retry(RetryPolicy(Backoff(1, 2)))
        assert identity_of("", (HIDE, policy)) == identity_of("", (HIDE,))

    def test_the_version_changes_with_functions_and_options_only(self) -> None:
        one = identity_of("", (HIDE,), "options").version
        assert identity_of("", (EachRecord(hide, "Hide"),), "options").version == one
        assert identity_of("", (EachRecord(keep, "Hide"),), "options").version != one
        assert identity_of("", (HIDE,), "others").version != one

    @pytest.mark.parametrize(
        ("steps", "said"),
        [
            ([keep], "EachRecord"),
            ([beam.Map(lambda batch: batch)], "give it a label"),
            ([EachRecord(keep, "Write")], "'Write'"),
            ([EachRecord(keep, "parse")], "'parse'"),
            ([EachRecord(keep, "A"), EachRecord(hide, "A")], "'A'"),
            ([EachRecord(keep, "A,B")], "comma"),
        ],
    )
    def test_a_step_that_cannot_be_told_is_a_wrong_use(
        self, steps: list[Any], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        sink = f"sqlite:///{tmp_path}/a.db"
        assert ingest(steps=steps, argv=[], source="x", sink=sink, table="t") == command.USAGE
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line


class TestApplied:
    def test_the_same_steps_serve_pipeline_after_pipeline(self) -> None:
        chain = "Chain" >> (EachRecord(keep, "One") | EachRecord(keep, "Two"))
        for _ in range(2):
            with beam.Pipeline(runner=FnApiRunner()) as pipeline:
                parsed = pipeline | beam.Create([batch_of(b'{"a":1}')]) | Parse()
                values = applied(parsed, (chain, EachRecord(keep, "Three"))) | beam.FlatMap(
                    lambda batch: batch.values
                )
                assert_that(values, equal_to([{"a": 1}]))

    def test_a_step_with_other_outputs_is_refused(self) -> None:
        pipeline = beam.Pipeline(runner=FnApiRunner())
        batches = pipeline | beam.Create([batch_of(b"1")])
        two = "Two" >> beam.Partition(lambda batch, _: 0, 2)
        with pytest.raises(ConfigError, match="'Two' returns"):
            applied(batches, (two,))


class TestOptions:
    def test_the_command_line_comes_before_what_the_program_says(self) -> None:
        flags = with_defaults(
            ["--source", "b", "--no_progress"], {"source": ["a", "c"], "no_progress": True}
        )
        assert flags == ["--source", "b", "--no_progress"]

    def test_lists_are_repeated_or_joined_as_the_flag_has_it(self) -> None:
        flags = with_defaults(
            [], {"source": ["a", "b"], "key": ["x", "y"], "max_attempts": 3, "outbox": False}
        )
        assert flags == ["--source=a", "--source=b", "--key=x,y", "--max_attempts=3"]

    def test_an_unknown_one_is_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert ingest(argv=[], sorce="a", sink="sqlite://", table="t") == command.USAGE
        assert "unknown option --sorce; did you mean --source?" in capsys.readouterr().err


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def people(url: str, tmp_path: Path) -> dict[str, Any]:
    """The options of a program that reads four people into a table."""
    query(url, "CREATE TABLE people (id integer PRIMARY KEY, email text)")
    lines = [json.dumps({"id": n, "email": f"{n}@example.org"}) + "\n" for n in range(4)]
    (tmp_path / "people.jsonl").write_text("".join(lines))
    (tmp_path / "other.jsonl").write_text('{"id":9,"email":"open"}\n')
    return {
        "source": f"{tmp_path}/people.jsonl",
        "sink": url,
        "table": "people",
        "key": "id",
        "retry_wait": 0,
        "backoff_base": 3600,
        "backoff_cap": 3600,
        "no_progress": True,
    }


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            found = connection.execute(sa.text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []
    finally:
        engine.dispose()


def fail_all(people: dict[str, Any], url: str) -> None:
    """Run the program before it is ready: its retries and its replayed dead letters are due."""
    assert ingest(steps=[HIDE], argv=[], **people) == 0
    assert letters(url, "replay", "--stage", "Hide") == 0
    make_due(url)


def make_due(url: str) -> None:
    query(url, "UPDATE ingest_queue SET due_at = '2020-01-01 00:00:00'")


def letters(url: str, action: str, *argv: str) -> int:
    flags = [action, "--sink", url, "--table", "people", "--reason", "test", *argv]
    return command.run("dead_letters", dead_letters.main, flags)


def rows(url: str) -> list[tuple[Any, ...]]:
    return query(url, "SELECT id, email FROM people ORDER BY id")


def states(url: str) -> list[str]:
    return [state for (state,) in query(url, "SELECT state FROM ingest_jobs ORDER BY id")]


def plain(people: dict[str, Any], tmp_path: Path, *argv: str) -> int:
    """Another program on the same table, without steps."""
    given = {**people, "source": f"{tmp_path}/other.jsonl"}
    return command.run("ingest", program.main, with_defaults(argv, given))


class TestNoWayAround:
    def test_a_program_without_the_step_leaves_retries_and_replays_and_says_so(
        self,
        people: dict[str, Any],
        url: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        fail_all(people, url)
        assert "2 of pipeline people [Hide]" in capsys.readouterr().out
        summary = tmp_path / "summary.json"
        assert plain(people, tmp_path, "--summary_json", str(summary)) == 0
        said = capsys.readouterr().err.splitlines()
        line = "4 jobs of table people wait for pipeline people [Hide]; this program is people []"
        assert said == [f"ingest: {line}"]
        (left,) = json.loads(summary.read_text())["left"]
        assert (left["jobs"], left["owner"]["steps"]) == (4, ["Hide"])
        assert rows(url) == [(9, "open")]

    def test_the_program_itself_takes_its_retries_and_replays(
        self, people: dict[str, Any], url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fail_all(people, url)
        assert rows(url) == []
        READY.update(range(4))
        capsys.readouterr()
        assert ingest(steps=[HIDE], argv=[], **people) == 0
        assert "wait for" not in capsys.readouterr().err
        assert rows(url) == [(n, hashed(n)) for n in range(4)]
        assert set(states(url)) == {"completed"}

    def test_a_program_of_another_name_leaves_them_too(
        self, people: dict[str, Any], url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fail_all(people, url)
        READY.update(range(4))
        assert ingest(steps=[HIDE], argv=["--pipeline", "others"], **people) == 0
        assert rows(url) == []
        assert "wait for pipeline people [Hide]; this program is others [Hide]" in (
            capsys.readouterr().err
        )

    def test_after_a_step_was_renamed_its_jobs_wait_until_they_are_adopted(
        self, people: dict[str, Any], url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fail_all(people, url)
        READY.update(range(4))
        renamed = [EachRecord(hide, "Conceal")]
        assert ingest(steps=renamed, argv=[], **people) == 0
        assert rows(url) == []
        to = ("--pipeline", "people", "--steps", "Conceal")
        assert letters(url, "adopt", *to, "--from_pipeline", "people", "--from_steps", "Hide") == 0
        assert ingest(steps=renamed, argv=[], **people) == 0
        assert rows(url) == [(n, hashed(n)) for n in range(4)]

    def test_two_programs_with_other_steps_run_on_one_table(
        self, people: dict[str, Any], url: str, tmp_path: Path
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
        make_due(url)
        READY.update([1, 3, 9])
        assert ingest(steps=opens, argv=[], **other) == 0
        assert rows(url) == [(9, "open")]
        assert ingest(steps=[HIDE], argv=[], **people) == 0
        assert rows(url) == [(1, hashed(1)), (3, hashed(3)), (9, "open")]


class TestAdopt:
    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            (["--pipeline", "people", "--from_pipeline", "others"], "--no_steps"),
            (["--pipeline", "people", "--steps", "A", "--no_steps"], "--no_steps"),
            (["--steps", "A"], "--pipeline NAME"),
            (["--pipeline", "people", "--steps", "A,A"], "'A'"),
            (["--pipeline", "people", "--no_steps", "--from_steps", "A"], "--from_pipeline"),
        ],
    )
    def test_where_jobs_are_to_go_is_said_whole(
        self, flags: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        assert letters(f"sqlite:///{tmp_path}/a.db", "adopt", *flags) == command.USAGE
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line

    def test_jobs_of_nobody_go_to_the_one_pipeline_of_that_name(
        self, people: dict[str, Any], url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fail_all(people, url)
        query(url, f"UPDATE ingest_jobs SET {NOBODY} WHERE id <> (SELECT max(id) FROM ingest_jobs)")
        assert letters(url, "adopt", "--pipeline", "people") == 0
        assert "people [Hide]" in capsys.readouterr().out
        assert query(url, "SELECT DISTINCT pipeline, steps FROM ingest_jobs") == [
            ("people", '["Hide"]')
        ]

    def test_without_any_sign_of_steps_the_pipeline_has_none(
        self, people: dict[str, Any], url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fail_all(people, url)
        query(url, f"UPDATE ingest_jobs SET {NOBODY}, stage = 'write'")
        assert letters(url, "adopt", "--pipeline", "people") == 0
        assert "people []" in capsys.readouterr().out
        assert query(url, "SELECT DISTINCT pipeline, steps FROM ingest_jobs") == [("people", "[]")]

    def test_a_job_that_failed_in_an_unknown_step_is_never_taken_past_it(
        self, people: dict[str, Any], url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fail_all(people, url)
        query(url, f"UPDATE ingest_jobs SET {NOBODY}")
        capsys.readouterr()
        assert letters(url, "adopt", "--pipeline", "people") == command.USAGE
        (line,) = capsys.readouterr().err.splitlines()
        assert "failed in the step Hide; give --steps" in line

    def test_of_several_pipelines_with_one_name_the_steps_are_asked_for(
        self, people: dict[str, Any], url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fail_all(people, url)
        first, last = "(SELECT min(id) FROM ingest_jobs)", "(SELECT max(id) FROM ingest_jobs)"
        query(url, f"UPDATE ingest_jobs SET {NOBODY} WHERE id = {first}")
        query(url, f"UPDATE ingest_jobs SET steps = '[]' WHERE id = {last}")
        capsys.readouterr()
        assert letters(url, "adopt", "--pipeline", "people") == command.USAGE
        (line,) = capsys.readouterr().err.splitlines()
        assert "people [Hide], people []; give --steps" in line

    def test_who_adopted_what_is_in_the_audit_trail(
        self, people: dict[str, Any], url: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert ingest(steps=[HIDE], argv=[], **people) == 0
        to = ("--pipeline", "mine", "--steps", "Hide,More", "--by", "ann")
        assert letters(url, "adopt", *to, "--from_pipeline", "people") == 0
        assert "4 adopted" in capsys.readouterr().out
        ((actor, count, which),) = query(
            url, "SELECT actor, count, CAST(filter AS text) FROM ingest_audit"
        )
        assert (actor, count) == ("ann", 4)
        assert json.loads(which)["to"] == {"pipeline": "mine", "steps": ["Hide", "More"]}
        assert json.loads(which)["pipeline"] == "people"
        flags = ["list", "--sink", url, "--pipeline", "mine", "--state", "all", "--json"]
        assert command.run("dead_letters", dead_letters.main, flags) == 0
        found = json.loads(capsys.readouterr().out)
        assert [each["steps"] for each in found] == [["Hide", "More"]] * 4


def readme_program() -> str:
    """The Python program that README shows."""
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (block,) = blocks
    return str(block)


def test_the_program_in_the_readme_takes_its_own_retries(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "a.jsonl").write_text(
        '{"order_id":1,"amount":1.5}\n{"order_id":2,"amount":null}\n'
    )
    (tmp_path / "program.py").write_text(readme_program())
    paths = os.pathsep.join([str(ROOT), str(ROOT / "io")])

    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *argv],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": paths},
            check=False,
            capture_output=True,
            text=True,
        )

    first = run("program.py", "--no_progress", "--fail_on_dead_letters")
    assert first.returncode == command.DEAD_LETTERS, first.stderr
    where = ("--sink", "sqlite:///orders.db", "--reason", "the amount is optional now")
    assert run("-m", "pipelines.dead_letters", "replay", *where).returncode == 0
    changed = readme_program().replace('raise Reject("no amount", "no_amount")', "return record")
    (tmp_path / "program.py").write_text(changed)
    again = run("program.py", "--no_progress", "--fail_on_dead_letters")
    assert again.returncode == command.OK, again.stderr
    payloads = [json.loads(text) for (text,) in query(f"sqlite:///{tmp_path}/orders.db", ORDERS)]
    assert [each.get("cents") for each in payloads] == [150, None]


ORDERS = "SELECT payload FROM orders ORDER BY order_id"
