"""A savepoint goes on with the sources and the table that it was made with, or not at all."""

from __future__ import annotations

import pytest

from sinks.ledger import submissions
from sinks.ledger.ledger import SqlLedger
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError

JOB, OTHER = "05aee03a5cb7e0cdd887589d984418ce", "05aee1ffffffffffffffffffffffffff"
GIVEN = "--savepoint_path s3://b/savepoint-05aee0-1"
A, B, C = "kafka://h:1/a", "kafka://h:1/b?splits=2", "/in/*.jsonl"


def refusal(database: Database, job: str | None, sources: list[str], table: str = "events") -> str:
    with pytest.raises(ConfigError) as caught:
        submissions.check(SqlLedger(database.config(table)), GIVEN, job, sources)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(GIVEN)
    assert "start without it" in line
    return line


@pytest.fixture
def noted(database: Database) -> Database:
    """A database whose table ``events`` is written by ``JOB``, from ``A`` and ``B``."""
    submissions.note(SqlLedger(database.sink().config), JOB, [A, B])
    return database


@pytest.mark.parametrize("job", [JOB, JOB[:6]])
@pytest.mark.parametrize("sources", [[A, B], [B, A]])
def test_the_same_sources_go_on_in_any_order(noted: Database, job: str, sources: list[str]) -> None:
    submissions.check(SqlLedger(noted.config()), GIVEN, job, sources)


def test_a_source_more_would_never_be_read(noted: Database) -> None:
    line = refusal(noted, JOB, [A, C, B])
    assert f"without source {C}, which would never be read" in line


def test_a_source_less_would_stay_unread(noted: Database) -> None:
    assert f"with source {B} too" in refusal(noted, JOB, [A])


@pytest.mark.parametrize("changed", ["kafka://h:1/b?splits=3", "kafka://h:1/b", "kafka://g:1/b"])
def test_a_source_that_is_cut_or_named_otherwise_is_another(noted: Database, changed: str) -> None:
    assert f"with source {B}, not with {changed}" in refusal(noted, JOB, [A, changed])


def test_another_table_would_lack_what_came_before(noted: Database) -> None:
    line = refusal(noted, JOB, [A, B], table="others")
    assert "table events, not others" in line


def test_a_job_that_this_database_does_not_know_is_refused(noted: Database) -> None:
    assert "knows no job abcdef" in refusal(noted, "abcdef", [A, B])


def test_a_database_without_any_submission_knows_none(database: Database) -> None:
    assert f"knows no job {JOB}" in refusal(database, JOB, [A])


def test_a_name_that_does_not_say_the_job_is_refused(noted: Database) -> None:
    assert "does not say which job" in refusal(noted, None, [A, B])


def test_what_stands_for_many_in_a_pattern_stands_for_itself(noted: Database) -> None:
    assert "knows no job" in refusal(noted, "0_aee0", [A, B])


def test_where_two_jobs_may_have_made_it_both_have_to_fit(noted: Database) -> None:
    submissions.note(SqlLedger(noted.config()), OTHER, [A, C])
    submissions.check(SqlLedger(noted.config()), GIVEN, "05aee0", [A, B])
    assert f"with source {C}, not with {B}" in refusal(noted, "05aee", [A, B])


def test_only_the_newest_of_a_table_are_kept(
    noted: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submissions, "KEPT", 2)
    submissions.note(SqlLedger(noted.sink("others").config), "f" * 32, [A])
    for job in ("1" * 32, "2" * 32):
        submissions.note(SqlLedger(noted.config()), job, [A])
    submitted = noted.rows("SELECT job FROM ingest_submissions ORDER BY job")
    assert [job[0] for (job,) in submitted] == ["1", "2", "f"]


def test_a_secret_of_a_source_is_not_kept(noted: Database) -> None:
    source = "kafka://u:verysecret@h:1/a"
    submissions.note(SqlLedger(noted.config()), "3" * 32, [source])
    assert "verysecret" not in str(noted.rows("SELECT * FROM ingest_submissions"))
    submissions.check(SqlLedger(noted.config()), GIVEN, "333333", [source])
