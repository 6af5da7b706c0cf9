"""Beam's private parts are used only as long as they are what this program was written for."""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import apache_beam as beam
import psutil
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability import portable_runner, prism_runner
from apache_beam.runners.portability.fn_api_runner import fn_runner, worker_handlers
from apache_beam.runners.worker import data_plane, sdk_worker, statesampler, worker_pool_main
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

from runners.beam import private as beam_private
from runners.beam.private import UnexpectedBeam
from runners.flink_flags import FlinkJobServerOptions

ROOT = Path(__file__).resolve().parents[3]
STARTED_ELSEWHERE = {
    "expansion_service_main.py",  # a program of its own
    "test_stream_service.py",  # Beam's tests; on localhost
}

Fake = Callable[[str, str], ModuleType]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Puts a module with other source text in the place of one of Beam's."""

    def replace(name: str, source: str) -> ModuleType:
        file = tmp_path / f"{name.rpartition('.')[2]}.py"
        file.write_text(source)
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return replace


def nothing() -> None:
    """Between two bundles."""


class TestAnotherBeam:
    """Each function refuses a Beam of another shape with one line, and changes nothing."""

    @staticmethod
    def refused(use: Callable[[], object], fact: str) -> None:
        with pytest.raises(UnexpectedBeam, match=fact) as raised:
            use()
        (line,) = str(raised.value).splitlines()
        assert line.startswith(f"Beam {beam.__version__} is not as expected: ")
        assert line.endswith(
            f"install '{beam_private.SUPPORTED}', or adapt runners/beam/private.py"
        )

    def test_a_module_that_is_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, sdk_worker.__name__, None)
        self.refused(beam_private.hide_tracebacks, r"worker\.sdk_worker cannot be imported")

    def test_servers_that_are_made_in_another_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(worker_handlers, "grpc", SimpleNamespace())
        self.refused(beam_private.listen_on_loopback, "worker_handlers makes its servers in anoth")

    def test_a_worker_that_is_told_its_address_in_another_way(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr(worker_handlers.GrpcWorkerHandler, "host_from_worker")
        self.refused(beam_private.listen_on_loopback, "GrpcWorkerHandler announces its address")

    def test_metrics_that_are_merged_by_something_else(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = "consolidate_monitoring_infos"
        other = dict.fromkeys
        monkeypatch.setattr(fn_runner, name, other)
        self.refused(lambda: beam_private.merge_metrics_per_bundle(nothing), "in another way")
        assert vars(fn_runner)[name] is other
        monkeypatch.delattr(fn_runner, name)
        self.refused(lambda: beam_private.merge_metrics_per_bundle(nothing), f"has no {name}")
        assert name not in vars(fn_runner)

    def test_metrics_that_are_not_merged_at_all(self, fake: Fake) -> None:
        fake(
            fn_runner.__name__,
            "from apache_beam.metrics.monitoring_infos import "
            "consolidate as consolidate_monitoring_infos\n",
        )
        self.refused(lambda: beam_private.merge_metrics_per_bundle(nothing), "in another way")

    @pytest.mark.parametrize(
        "parameters", ["period=200", "sampling_period_ms=200, other=1", "sampling_period_ms='200'"]
    )
    def test_a_sampler_with_other_defaults(self, fake: Fake, parameters: str) -> None:
        source = f"class StateSampler:\n    def __init__(self, prefix, {parameters}): ...\n"
        sampler: Any = fake(statesampler.__name__, source)
        before = sampler.StateSampler.__init__.__defaults__
        self.refused(lambda: beam_private.sample_states_every(20), "StateSampler has the defaults")
        assert sampler.StateSampler.__init__.__defaults__ == before

    def test_a_sampler_that_is_compiled_or_gone(self, fake: Fake) -> None:
        fake(statesampler.__name__, "class StateSampler: ...\n")
        self.refused(lambda: beam_private.sample_states_every(20), "is compiled")
        fake(statesampler.__name__, "")
        self.refused(lambda: beam_private.sample_states_every(20), "has no StateSampler")

    def test_a_sampler_whose_period_is_given(self, fake: Fake) -> None:
        source = "class StateSampler:\n    def __init__(self, sampling_period_ms=200): ...\n"
        sampler: Any = fake(statesampler.__name__, source)
        name = "apache_beam.runners.worker.bundle_processor"
        fake(name, "x = dict(sampling_period_ms=200)\n")
        self.refused(lambda: beam_private.sample_states_every(20), "does not sample with the defa")
        assert sampler.StateSampler.__init__.__defaults__ == (200,)

    @pytest.mark.parametrize(
        "source",
        [
            "def f(): ...\n",
            "def f(): print('welcome')\n",
            "def f(): print(traceback_string, file=sys.stderr)\ndef g(): print('welcome')\n",
        ],
    )
    def test_a_worker_that_prints_other_things(self, fake: Fake, source: str) -> None:
        module = fake(sdk_worker.__name__, source)
        self.refused(beam_private.hide_tracebacks, "sdk_worker prints more, or less, than")
        assert "print" not in vars(module)

    def test_a_worker_that_is_compiled(self, fake: Fake) -> None:
        fake(sdk_worker.__name__, "")
        self.refused(beam_private.hide_tracebacks, "sdk_worker has no Python source")

    @pytest.mark.parametrize("module", [worker_pool_main, data_plane])
    def test_threads_of_other_names(self, fake: Fake, module: ModuleType) -> None:
        fake(module.__name__, "def f(): ...\n")
        self.refused(beam_private.worker_threads, f"{module.__name__} starts no thread named")

    def test_a_prism_that_is_found_in_another_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        server, name = prism_runner.PrismJobServer, "_get_executable_path"

        def wants_more(self: object, cache: str) -> str:
            raise NotImplementedError

        monkeypatch.setattr(server, name, wants_more)
        self.refused(lambda: beam_private.fetched_prism("p.zip"), r"takes \(self, cache\), not")
        monkeypatch.delattr(server, name)
        self.refused(lambda: beam_private.fetched_prism("p.zip"), f"PrismJobServer has no {name}")

    def test_a_job_that_is_submitted_in_another_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def make() -> object:
            return beam_private.marking_runner(lambda *_: None)

        def without_options(self: object, pipeline: object) -> None: ...

        name = "run_portable_pipeline"
        monkeypatch.setattr(portable_runner.PortableRunner, name, without_options)
        self.refused(make, rf"{name} takes \(self, pipeline\), not")
        monkeypatch.setattr(portable_runner, "PortableRunner", object)
        self.refused(make, f"PortableRunner has no {name}")

    def test_a_result_of_another_shape(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def without_id(self: object, job: str) -> None: ...

        self.refused(lambda: beam_private.job_id(SimpleNamespace()), "has no _job_id")
        self.refused(lambda: beam_private.mark_of(SimpleNamespace()), "does not run_portable_pip")
        self.refused(
            lambda: beam_private.with_mark(beam_private.with_mark(SimpleNamespace(), 1), 2),
            "has a sluice_mark of its own",
        )
        monkeypatch.setattr(portable_runner.PipelineResult, "__init__", without_id)
        self.refused(lambda: beam_private.marking_runner(lambda *_: None), "has no _job_id")

    def test_a_flag_that_beam_declares_too(self) -> None:
        class Beams:
            @classmethod
            def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
                parser.add_argument("--checkpointing_interval")

        class Same(Beams):
            """Declares it again."""

        classes: Any = [Beams, Same]
        self.refused(
            lambda: beam_private.flag_parser(classes),
            r"Same declares a flag that other options have too \(.*--checkpointing_interval",
        )

    def test_options_that_are_declared_in_another_way(self) -> None:
        classes: Any = [int]
        self.refused(lambda: beam_private.flag_parser(classes), "int has no _add_argparse_args")


PATCHES = """
import inspect
from runners.beam import private as beam_private
from runners.runner import NAMES, named
from apache_beam.metrics import monitoring_infos
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.worker import sdk_worker, statesampler, worker_pool_main
from apache_beam.utils.counters import CounterFactory
import grpc
for name in NAMES:
    named(name)
assert worker_pool_main.grpc is grpc
assert fn_runner.consolidate_monitoring_infos is monitoring_infos.consolidate
assert statesampler.StateSampler('', CounterFactory()).sampling_period_ms == 200
assert not hasattr(sdk_worker, 'print')
for _ in range(2):  # each pipeline asks for it again
    beam_private.listen_on_loopback()
    beam_private.merge_metrics_per_bundle(lambda: None)
    beam_private.sample_states_every(20)
    beam_private.hide_tracebacks()
    beam_private.marking_runner(lambda *_: None)
    beam_private.flag_parser(beam_private.option_classes())
    assert beam_private.worker_threads() == []
assert worker_pool_main.grpc is not grpc
assert fn_runner.consolidate_monitoring_infos is not monitoring_infos.consolidate
assert statesampler.StateSampler('', CounterFactory()).sampling_period_ms == 20
assert sdk_worker.print('hidden') is None
print('done')
"""


class TestThisBeam:
    @pytest.mark.slow
    def test_it_is_as_expected_and_is_changed_by_a_pipeline_not_by_an_import(self) -> None:
        ended = subprocess.run(
            [sys.executable, "-c", PATCHES], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert ended.stdout == "done\n", ended.stderr

    def test_the_supported_releases_are_those_of_the_package(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert beam_private.SUPPORTED in project["dependencies"]

    def test_threads_of_the_worker_are_found_by_name(self) -> None:
        go_on = threading.Event()
        worker = threading.Thread(target=go_on.wait, name="run_worker_1")
        other = threading.Thread(target=go_on.wait, name="worker")
        for thread in (worker, other):
            thread.start()
        try:
            assert beam_private.worker_threads() == [worker]
        finally:
            go_on.set()
            for thread in (worker, other):
                thread.join()

    def test_a_job_is_marked_before_it_is_submitted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[str] = []

        def mark(pipeline: object, options: PipelineOptions) -> str:
            calls.append(f"mark {pipeline}")
            return "mark"

        def submit(self: object, pipeline: object, options: PipelineOptions) -> object:
            calls.append(f"submit {pipeline}")
            return SimpleNamespace(_job_id="id")

        monkeypatch.setattr(portable_runner.PortableRunner, "run_portable_pipeline", submit)
        runner = beam_private.marking_runner(mark)
        result = runner.run_portable_pipeline("proto", PipelineOptions([]))
        assert calls == ["mark proto", "submit proto"]
        assert (beam_private.mark_of(result), beam_private.job_id(result)) == ("mark", "id")

    def test_flags_are_beams_and_ours(self) -> None:
        classes = beam_private.option_classes()
        assert FlinkJobServerOptions in classes
        parser = beam_private.flag_parser(classes)
        names = {name for flag in beam_private.flags_of(parser) for name in flag.option_strings}
        assert {"--streaming", "--checkpointing_interval"} <= names


def listening() -> set[tuple[str, int]]:
    """Where this process listens; the session's other services are not in it."""
    return {
        (each.laddr.ip.removeprefix("::ffff:"), each.laddr.port)
        for each in psutil.Process().net_connections(kind="tcp")
        if each.status == psutil.CONN_LISTEN
    }


@pytest.fixture
def _on_loopback() -> None:
    beam_private.listen_on_loopback()


@pytest.mark.usefixtures("_on_loopback")
class TestLoopback:
    def test_the_pool_of_workers_listens_on_loopback(self) -> None:
        before = listening()
        address, server = BeamFnExternalWorkerPoolServicer.start()
        try:
            port = int(address.removeprefix("localhost:"))
            assert listening() - before == {("127.0.0.1", port)}
        finally:
            server.stop(None).wait()

    def test_what_serves_other_workers_of_the_in_process_runner_listens_on_loopback(self) -> None:
        before = listening()
        server = worker_handlers.GrpcServer(None, None, None)
        try:
            ports = (server.control_port, server.data_port, server.state_port, server.logging_port)
            assert listening() - before == {("127.0.0.1", port) for port in ports}
        finally:
            server.close()

    def test_a_worker_that_was_started_elsewhere_is_told_where_that_is(self) -> None:
        external: Any = object.__new__(worker_handlers.ExternalWorkerHandler)
        assert external.port_from_worker(7) == "localhost:7"

    def test_every_server_of_beams_is_listed(self) -> None:
        """A new one would listen on all interfaces until somebody reads it."""
        folder = Path(beam.__file__).parent
        serving = {
            path
            for path in folder.rglob("*.py")
            if not path.name.endswith("_test.py")
            and re.search(r"add_(in)?secure_port\(", path.read_text())
        }
        listed = {Path(str(sys.modules[name].__file__)) for name in beam_private.SERVERS}
        assert {each.name for each in serving - listed} == STARTED_ELSEWHERE
        assert listed <= serving

    def test_an_address_of_this_machine_is_refused(self) -> None:
        server: Any = vars(worker_handlers)["grpc"].server(None)
        with pytest.raises(UnexpectedBeam, match=r"192\.0\.2\.1:0, which other machines may"):
            server.add_insecure_port("192.0.2.1:0")
