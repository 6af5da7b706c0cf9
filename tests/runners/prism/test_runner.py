from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import psutil
import pytest
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.options.pipeline_options import PortableOptions
from apache_beam.runners.portability.prism_runner import PrismRunner

from runners.prism import runner as prism
from runners.prism.server import serving
from runners.runner import RunnerUnavailable

ROOT = Path(__file__).resolve().parents[3]


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
        ("flags", "said"),
        [
            (["--job_endpoint=localhost:1", "--prism_location=/p"], "leave one of them out"),
            (["--job_endpoint=embed"], "--job_endpoint embed: .* host:port"),
        ],
    )
    def test_an_endpoint_that_is_no_running_prism_is_one_line(
        self, flags: list[str], said: str
    ) -> None:
        with pytest.raises(RunnerUnavailable, match=said), prism.RUNNER.pipeline(flags):
            pass

    def test_another_worker_than_this_process_is_refused(self) -> None:
        with (
            pytest.raises(RunnerUnavailable, match="--environment_type DOCKER"),
            prism.RUNNER.pipeline(["--environment_type=DOCKER"]),
        ):
            pass


class TestServer:
    @pytest.mark.integration
    def test_prism_does_not_outlive_a_process_that_is_killed(self, prism: str) -> None:
        code = (
            "import sys, time\n"
            "from runners.prism.server import serving\n"
            "with serving(sys.argv[1], 'error') as endpoint:\n"
            "    print('up', flush=True)\n"
            "    time.sleep(60)\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, prism], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            started = psutil.Process(process.pid).children()
        finally:
            process.kill()
            process.communicate()
        gone, alive = psutil.wait_procs(started, timeout=10)
        assert len(gone) == 2, "Prism and its watchdog"
        assert alive == []

    def test_a_program_that_ends_is_one_line_with_what_it_said(self, tmp_path: Path) -> None:
        broken = tmp_path / "prism"
        broken.write_text("#!/bin/sh\necho cannot open anything\nexit 3\n")
        broken.chmod(0o755)
        before = children()
        with (
            pytest.raises(RunnerUnavailable, match=r"ended with 3: cannot open anything$"),
            serving(str(broken), "error"),
        ):
            pass
        assert children() == before

    def test_a_prism_that_others_can_reach_is_ended_with_one_line(self, tmp_path: Path) -> None:
        """As the one that is published: it is somebody's own binary (``--prism_location``)."""
        published = tmp_path / "prism"
        published.write_text(
            f"#!{sys.executable}\n"
            "import socket, sys, time\n"
            "port = int(sys.argv[1].removeprefix('--job_port='))\n"
            "listening = socket.create_server(('0.0.0.0', port))\n"
            "time.sleep(60)\n"
        )
        published.chmod(0o755)
        before = children()
        with (
            pytest.raises(RunnerUnavailable, match=r"listens on 0\.0\.0\.0:\d+, ") as raised,
            serving(str(published), "error"),
        ):
            pass
        assert "--prism_location" in str(raised.value)
        assert "\n" not in str(raised.value)
        assert children() == before

    def test_what_is_no_program_is_one_line(self, tmp_path: Path) -> None:
        text = tmp_path / "prism"
        text.write_text("hello")
        text.chmod(0o755)
        with (
            pytest.raises(RunnerUnavailable, match="cannot be started"),
            serving(str(text), "error"),
        ):
            pass
