"""Why a job failed, in one line that says what to do."""

from __future__ import annotations

import pytest

from runners.flink.failures import cause, last_failure
from tests.runners.flink.job_manager import JobManager


@pytest.mark.parametrize(
    ("stack", "line"),
    [
        ("java.lang.Exception: lost\n\tat a.b(c)\n", "java.lang.Exception: lost"),
        ("a.A: x\n\tat a\nCaused by: b.B: y\n\tat b\nCaused by: c.C: z\n\tat c\n", "c.C: z"),
        ("a.A: x\nCaused by: b.B: Traceback …\n  in f\nValueError: no", "ValueError: no"),
        ("", "no cause given"),
        ("x" * 1_000, "x" * 300),
    ],
)
def test_the_cause_of_a_failure_is_the_innermost_line(stack: str, line: str) -> None:
    assert cause(stack) == line


@pytest.mark.parametrize(
    ("innermost", "meaning"),
    [
        ("io.grpc.StatusRuntimeException: CANCELLED: client cancelled", "a Python worker ended"),
        ("a.FlinkRuntimeException: Exceeded checkpoint tolerable failure threshold.", "step hangs"),
        ("a.NoResourceAvailableException: Could not acquire", "too few free slots"),
        ("Traceback …\nModuleNotFoundError: No module named 'mine'", "'mine'; the workers must"),
        ("a.b: Process died with exit code 1", "no Python worker could be started"),
    ],
)
def test_what_flink_and_beam_say_in_their_own_terms_is_explained(
    innermost: str, meaning: str
) -> None:
    line = cause(f"java.lang.Exception: x\n\tat a.b(c)\nCaused by: {innermost}\n\tat d.e(f)\n")
    assert meaning in line
    assert len(line.splitlines()) == 1


def failed(**more: object) -> dict[str, object]:
    entry = {"timestamp": 7, "stacktrace": "a.b: oops\n\tat c\n", **more}
    return {"exceptionHistory": {"entries": [entry]}}


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"location": "tm-1:4000"}, "a.b: oops (on the worker at tm-1:4000)"),
        # Flink's giving up has no place of its own.
        (
            {"concurrentExceptions": [{"location": "tm-2:4000"}]},
            "a.b: oops (on the worker at tm-2:4000)",
        ),
        ({"location": "(unassigned)"}, "a.b: oops"),
        ({}, "a.b: oops"),
    ],
)
def test_a_failure_says_on_which_worker_it_was(
    cluster: JobManager, more: dict[str, object], line: str
) -> None:
    cluster.answers["/jobs/j/exceptions?maxExceptions=1"] = failed(**more)
    failure = last_failure(cluster.rest, "j")
    assert failure is not None
    assert (str(failure), failure.at) == (line, 7)


def test_a_job_that_has_not_failed_has_no_failure(cluster: JobManager) -> None:
    cluster.answers["/jobs/j/exceptions?maxExceptions=1"] = {"exceptionHistory": {"entries": []}}
    assert last_failure(cluster.rest, "j") is None
