from __future__ import annotations

import signal

import apache_beam as beam
import psutil
import pytest
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.options.pipeline_options import PortableOptions
from apache_beam.runners.portability.prism_runner import PrismRunner

from runners.prism import runner as prism
from runners.prism.server import serving
from runners.runner import RunnerUnavailable

SEEN: list[int] = []


def count(number: int) -> None:
    Metrics.counter("test", "seen").inc()
    SEEN.append(number)


def children() -> list[str]:
    return [each.name() for each in psutil.Process().children()]


@pytest.mark.integration
@pytest.mark.usefixtures("prism")
class TestPipeline:
    def test_the_worker_is_this_process_and_the_counters_are_the_runs(self) -> None:
        before = children()  # other services of the session
        for _ in range(2):  # a second run starts at zero
            SEEN.clear()
            with prism.RUNNER.pipeline([]) as pipeline:
                assert type(pipeline.runner) is PrismRunner
                _ = pipeline | beam.Create([1, 2, 3]) | beam.Map(count)
                result = pipeline.run()
                result.wait_until_finish()
                (seen,) = result.metrics().query(MetricsFilter().with_namespace("test"))["counters"]
                assert seen.result == 3
                assert sorted(SEEN) == [1, 2, 3]
            assert children() == before, "Prism ends with the context"

    def test_ctrl_c_stays_ours(self) -> None:
        before = signal.getsignal(signal.SIGINT)
        with prism.RUNNER.pipeline([]) as pipeline:
            _ = pipeline | beam.Create([1])
            result = pipeline.run()
            assert signal.getsignal(signal.SIGINT) is before
            result.wait_until_finish()

    def test_a_prism_that_runs_already_is_used(self, prism: str) -> None:
        from runners.prism.runner import RUNNER

        with serving(prism, "error") as endpoint:
            running = children()
            with RUNNER.pipeline([f"--job_endpoint={endpoint}"]) as pipeline:
                assert children() == running
                assert pipeline.options.view_as(PortableOptions).job_endpoint == endpoint
                _ = pipeline | beam.Create([1]) | beam.Map(count)
                pipeline.run().wait_until_finish()

    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (["--job_endpoint=localhost:1", "--prism_location=/p"], "leave one of them out"),
            (["--job_endpoint=embed"], "--job_endpoint embed: .* host:port"),
        ],
    )
    def test_an_endpoint_that_is_no_running_prism_is_one_line(
        self, flags: list[str], message: str
    ) -> None:
        with pytest.raises(RunnerUnavailable, match=message), prism.RUNNER.pipeline(flags):
            pass

    def test_another_worker_than_this_process_is_refused(self) -> None:
        with (
            pytest.raises(RunnerUnavailable, match="--environment_type DOCKER"),
            prism.RUNNER.pipeline(["--environment_type=DOCKER"]),
        ):
            pass
