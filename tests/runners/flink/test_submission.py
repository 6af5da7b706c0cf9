"""Which job of a cluster is one's own, among those that others submit at the same time."""

from __future__ import annotations

import pytest
from apache_beam.runners.runner import PipelineState

from runners.beam.private import mark_of
from runners.flink.submission import Marked, submitted
from tests.runners.flink.job_manager import OLD, OWN, THEIRS, JobManager, reported, result


def test_a_new_job_of_somebody_else_is_not_taken(cluster: JobManager) -> None:
    cluster.has(**{THEIRS: "theirs", OWN: "own"})
    job = submitted(result(cluster))
    assert job is not None
    assert job.job == OWN
    assert job.address == f"{cluster.rest.address}/#/job/{OWN}/overview"


def test_a_job_whose_options_are_not_shown_yet_is_looked_at_again(cluster: JobManager) -> None:
    cluster.has(**{THEIRS: "theirs", OWN: None})
    marked: Marked = mark_of(result(cluster))
    assert marked.find() is None
    cluster.answers["/jobs"]["jobs"].clear()
    cluster.has(**{THEIRS: "theirs", OWN: "own"})
    assert marked.find() == OWN
    assert cluster.requests.count(f"/jobs/{THEIRS}/config") == 1, "its mark does not change"


def test_a_job_that_was_there_before_is_not_asked(cluster: JobManager) -> None:
    cluster.has(**{OLD: "own"})
    assert mark_of(result(cluster)).find() is None


def test_an_id_that_is_not_found_in_time_is_not_guessed(
    cluster: JobManager, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.has(**{THEIRS: "theirs"})
    assert submitted(result(cluster)) is None
    (line,) = reported(caplog)
    assert "its id is not known" in line
    assert THEIRS not in line


def test_a_job_that_failed_before_it_began_is_reported_as_failed(
    cluster: JobManager, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.has(**{THEIRS: "theirs", OWN: None})
    assert submitted(result(cluster, PipelineState.FAILED)) is None
    assert not reported(caplog)
