"""Running a pipeline: what is released, said and counted, and what a failure means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines import execution
from runners.direct import RUNNER
from runners.runner import RunnerUnavailable, Submission
from transforms import metrics
from transforms.errors import ConfigError, SinkFailed, SluiceError

CLUSTER = replace(RUNNER, submitted=lambda result: Submission("j1", None))


@dataclass
class Run:
    """A pipeline and its result in one; ``error`` is what waiting for it raises."""

    error: Exception | None = None
    counters: Sequence[SimpleNamespace] = ()

    def metrics(self) -> SimpleNamespace:
        return SimpleNamespace(query=lambda query: {"counters": self.counters})

    def run(self) -> Run:
        metrics.count("batches", 3)
        return self

    def wait_until_finish(self) -> None:
        if self.error is not None:
            raise self.error


def execute(run: Run, **options: Any) -> Any:
    released: list[bool] = []
    try:
        return execution.execute(run, release=lambda: released.append(True), **options)
    finally:
        assert released == [True], "released once, however it ends"


def test_the_counters_of_this_process_and_no_signal() -> None:
    metrics.count("batches", 100)  # of an earlier pipeline
    assert execute(Run(), runner=RUNNER) == ({"batches": 3}, [])


def test_a_job_of_a_cluster_is_announced_and_handed_on(capsys: pytest.CaptureFixture[str]) -> None:
    jobs: list[Submission] = []
    execute(Run(), runner=CLUSTER, submitted=jobs.append)
    assert jobs == [Submission("j1", None)]
    assert capsys.readouterr().err == "job j1\n"


def test_the_address_of_a_job_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    execution.announce(Submission("j1", "http://h/j1"))
    assert capsys.readouterr().err == "job j1 at http://h/j1\n"


def test_a_cluster_that_is_lost_ends_the_run() -> None:
    with pytest.raises(SluiceError, match="gone"):
        execute(Run(RunnerUnavailable("gone")), runner=RUNNER)


def test_a_runner_explains_how_its_job_failed() -> None:
    explaining = replace(RUNNER, explained=lambda text: f"the job failed: {text}")
    with pytest.raises(SluiceError, match=r"^the job failed: oops$"):
        execute(Run(RuntimeError("oops")), runner=explaining)


def test_an_error_of_this_project_needs_no_explanation_but_where_it_was() -> None:
    explaining = replace(RUNNER, explained=lambda text: "the job failed")
    text = "transforms.errors.SinkFailed: no permission"
    with pytest.raises(SinkFailed, match=r"^on a worker: no permission$"):
        execute(Run(RuntimeError(text)), runner=explaining)


def test_a_second_thread_is_refused_until_the_first_has_ended() -> None:
    def refusal() -> str:
        try:
            with execution.alone():
                return ""
        except ConfigError as error:
            return str(error)

    with ThreadPoolExecutor(1) as other:
        with execution.alone():
            assert "another thread of this process" in other.submit(refusal).result()
        assert other.submit(refusal).result() == ""


def test_a_pipeline_that_fails_leaves_its_turn_to_the_next() -> None:
    with pytest.raises(SluiceError), execution.alone():
        raise SluiceError
    with execution.alone():
        pass


@pytest.mark.parametrize(
    ("error", "comes_again"),
    [
        ("transforms.errors.ConfigError: environment variable P is not set", True),
        ("transforms.errors.DeadBudgetExceeded: too many", True),
        ("transforms.errors.SinkUnavailable: the database is away", False),
        ("ValueError: oops", False),
    ],
)
def test_what_only_a_person_can_heal_is_not_tried_again(error: str, comes_again: bool) -> None:
    asked: list[bool] = []
    following = replace(RUNNER, finished=lambda result, hopeless: asked.append(hopeless(error)))
    execute(Run(), runner=following)
    assert asked == [comes_again]


def test_a_runner_that_cannot_start_is_a_wrong_use() -> None:
    @contextmanager
    def pipeline(flags: Sequence[str]) -> Iterator[Any]:
        raise RunnerUnavailable("no job server")
        yield

    with (
        pytest.raises(ConfigError, match="no job server"),
        execution.empty_pipeline(replace(RUNNER, pipeline=pipeline), []),
    ):
        pass


def test_counters_are_summed_over_the_steps_of_a_pipeline_that_runs_elsewhere() -> None:
    def counter(name: str, number: int | None) -> SimpleNamespace:
        key = SimpleNamespace(metric=SimpleNamespace(name=name, namespace=metrics.NAMESPACE))
        return SimpleNamespace(key=key, result=number)

    counters = [counter("read", 3), counter("dead", 1), counter("read", 4), counter("dead", None)]
    run = Run(counters=counters)
    elsewhere = replace(CLUSTER, drained_by_signals=False)
    assert execute(run, runner=elsewhere)[0] == {"read": 7, "dead": 1}


def test_processes_that_cannot_be_started_are_a_mistake_and_the_next_pipeline_may_run() -> None:
    with pytest.raises(ConfigError, match=r"^--workers 9: "), execution.alone():
        raise RunnerUnavailable("--workers 9: this machine starts only 2 of them")
    with execution.alone():
        pass
