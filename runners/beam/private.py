"""Every use of Beam's private parts, in one place, and each of them checked.

Beam has no public way to do what follows, and any release may change it. A patch that silently
stops working would cost memory, speed or safety, so each function first checks that Beam is what
it was written for and raises ``UnexpectedBeam`` otherwise. A runner calls them when it makes a
pipeline, never at import.

``transforms`` depends on three more details of Beam, which concern transforms and not a runner.
Its own tests hold them: a falsy residual is dropped and progress may be NaN
(``transforms/read/restriction.py``), and the size of elements is sampled by encoding them
(``transforms/batch/coders.py``).
"""

from __future__ import annotations

import argparse
import inspect
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.version import __version__ as BEAM_VERSION

from runners.runner import RunnerUnavailable

SUPPORTED = "apache-beam[gcp]>=2.77,<2.78"
"""The releases that this was written for and tested with, as in pyproject.toml."""

_RUNNERS = "apache_beam.runners"
_WORKER = f"{_RUNNERS}.worker"
_SDK_WORKER = f"{_WORKER}.sdk_worker"
_PORTABLE = f"{_RUNNERS}.portability"
_FN_RUNNER = f"{_PORTABLE}.fn_api_runner.fn_runner"
_MONITORING_INFOS = "apache_beam.metrics.monitoring_infos"


class UnexpectedBeam(RunnerUnavailable):
    """The installed Beam differs from what this program relies on.

    Args:
        fact: What is different: a clause that names the part of Beam.
    """

    def __init__(self, fact: str) -> None:
        super().__init__(
            f"Beam {BEAM_VERSION} is not as expected: {fact}; install '{SUPPORTED}', or adapt "
            "runners/beam/private.py"
        )


def expect(as_expected: bool, fact: str) -> None:
    """Refuse a Beam that is not ``as_expected``.

    Raises:
        UnexpectedBeam: It is not; ``fact`` is a clause that says what is different.
    """
    if not as_expected:
        raise UnexpectedBeam(fact)


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise UnexpectedBeam(f"{name} cannot be imported ({error})") from error


def _part(module: str, name: str) -> Any:
    """An attribute of a module of Beam's."""
    parent = _module(module)
    expect(hasattr(parent, name), f"{module} has no {name}")
    return getattr(parent, name)


def _source(part: Any) -> str:
    """The text of a module or function of Beam's."""
    try:
        return inspect.getsource(part)
    except (OSError, TypeError) as error:
        raise UnexpectedBeam(f"{part.__name__} has no Python source ({error})") from error


def _takes(function: Callable[..., Any], parameters: Sequence[str], name: str) -> None:
    names = list(inspect.signature(function).parameters)
    expect(
        names == list(parameters), f"{name} takes ({', '.join(names)}), not {', '.join(parameters)}"
    )


# Servers on loopback. Beam's servers listen on all interfaces and do not authenticate anybody:
# whoever reaches one can run a program as this user, or read what the workers are sent. Beam
# announces each of them as ``localhost``, so nothing needs them to listen elsewhere. No option
# changes it; ``add_insecure_port("[::]:0")`` is written into the modules below.

SERVERS = (
    f"{_WORKER}.worker_pool_main",  # the worker that is this process (LOOPBACK)
    # control, data, state and logs of workers that are not in_memory
    f"{_PORTABLE}.fn_api_runner.worker_handlers",
    f"{_PORTABLE}.local_job_service",  # jobs, and the logs of a worker in a process of its own
    f"{_PORTABLE}.abstract_job_service",  # artifacts
)
"""Every module of Beam's that can start a server in a process of this program."""

_LOOPBACK = "127.0.0.1"
_EVERYWHERE = ("[::]", "0.0.0.0", "")  # noqa: S104 - what is replaced
_LOCAL = ("localhost", _LOOPBACK, "[::1]")


class _Server:
    """A gRPC server that listens on loopback instead of on all interfaces."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def add_insecure_port(self, address: str) -> int:
        host, _, port = address.rpartition(":")
        if host in _EVERYWHERE:
            address = f"{_LOOPBACK}:{port}"
        else:
            expect(host in _LOCAL, f"it would listen on {address}, which other machines may reach")
        bound: int = self._server.add_insecure_port(address)
        return bound


class _Grpc:
    """Stands for the module ``grpc`` in a module of Beam's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(grpc, name)

    @staticmethod
    def server(*arguments: Any, **options: Any) -> _Server:
        return _Server(grpc.server(*arguments, **options))


def listen_on_loopback() -> None:
    """Keep every server that Beam starts in this process on loopback, from now on."""
    for name in SERVERS:
        module = _module(name)
        if not isinstance(vars(module).get("grpc"), _Grpc):
            expect(_makes_servers(module), f"{name} makes its servers in another way")
            vars(module)["grpc"] = _Grpc()
    # A worker that was started elsewhere on this machine is told the machine's name, under which
    # nothing listens any more.
    external, plain = (
        _part(SERVERS[1], name) for name in ("ExternalWorkerHandler", "GrpcWorkerHandler")
    )
    for handler in (external, plain):
        expect(
            "host_from_worker" in vars(handler),
            f"{handler.__name__} announces its address in another way",
        )
    external.host_from_worker = plain.host_from_worker


def _makes_servers(module: ModuleType) -> bool:
    source = _source(module)
    return (
        vars(module).get("grpc") is grpc and "grpc.server(" in source and "grpc.aio" not in source
    )


# Metrics of DirectRunner. FnApiRunner adds up the counters of its bundles only when somebody asks
# for them, at the end. Until then it keeps those of every bundle (29 KB) as nested generators, one
# level per bundle, so that after a thousand bundles Python refuses to run them
# (``RecursionError``). It never merges gauges at all.


class _MergedPerBundle:
    """Beam's ``consolidate``, but it adds up at once and keeps only the newest of each gauge."""

    def __init__(self, between_bundles: Callable[[], None]) -> None:
        self._between_bundles = between_bundles
        self._consolidate = _part(_MONITORING_INFOS, "consolidate")
        self._gauge_types = _part(_MONITORING_INFOS, "GAUGE_TYPES")
        self._gauge_value = _part(_MONITORING_INFOS, "extract_gauge_value")
        self._key = _part(_MONITORING_INFOS, "to_key")

    def __call__(self, infos: Iterable[Any]) -> list[Any]:
        self._between_bundles()
        others: list[Any] = []
        newest: dict[Any, tuple[int, Any]] = {}
        for info in infos:  # those of the last bundle come first
            if info.type not in self._gauge_types:
                others.append(info)
                continue
            key, (at, _) = self._key(info), self._gauge_value(info)
            if key not in newest or at > newest[key][0]:
                newest[key] = (at, info)
        return [*self._consolidate(others), *(info for _, info in newest.values())]


def merge_metrics_per_bundle(between_bundles: Callable[[], None]) -> None:
    """Make FnApiRunner merge counters and gauges after every bundle.

    Args:
        between_bundles: Called after every bundle, before its metrics are merged.
    """
    # The loop that calls it offers no other hold (fn_runner.py, run_stages).
    name = "consolidate_monitoring_infos"
    runner, current = _module(_FN_RUNNER), _part(_FN_RUNNER, name)
    merged = _MergedPerBundle(between_bundles)
    if not isinstance(current, _MergedPerBundle):
        expect(
            current is _part(_MONITORING_INFOS, "consolidate") and f"{name}(" in _source(runner),
            f"{_FN_RUNNER} merges metrics in another way",
        )
    vars(runner)[name] = merged


def sample_states_every(milliseconds: int) -> None:
    """Set how often Beam samples what a bundle is doing, which is how long a bundle takes to end.

    No option sets it: bundle_processor.py makes a ``StateSampler`` with the default period.
    """
    start = _part(f"{_WORKER}.statesampler", "StateSampler").__init__
    # A compiled class would ignore what is set here.
    expect(isinstance(start, FunctionType), "StateSampler is compiled")
    parameters = inspect.signature(start).parameters.values()
    defaults = {each.name: each.default for each in parameters if each.default is not each.empty}
    expect(
        list(defaults) == ["sampling_period_ms"] and type(defaults["sampling_period_ms"]) is int,
        f"StateSampler has the defaults {defaults}, not a sampling_period_ms alone",
    )
    if defaults["sampling_period_ms"] != milliseconds:
        user = f"{_WORKER}.bundle_processor"
        expect(
            "sampling_period" not in _source(_module(user)),
            f"{user} does not sample with the default period",
        )
        start.__defaults__ = (milliseconds,)


# The worker in this process (LOOPBACK).

_WORKER_THREADS = (
    (f"{_WORKER}.worker_pool_main", "run_worker_"),
    (f"{_WORKER}.data_plane", "read_grpc_client_inputs"),
)


def hide_tracebacks() -> None:
    """Keep the worker from printing the traceback of a failed bundle on stderr.

    It also logs the traceback, which ``--verbose`` shows, and reports it to the runner.
    """
    module = _module(_SDK_WORKER)
    if vars(module).get("print") is _print_nothing:
        return
    source = _source(module)
    expect(
        "print" not in vars(module)
        and re.findall(r"\bprint\(.*", source) == ["print(traceback_string, file=sys.stderr)"],
        f"{_SDK_WORKER} prints more, or less, than the traceback of a failed bundle",
    )
    vars(module)["print"] = _print_nothing


def _print_nothing(*_text: object, file: object = None) -> None:
    """Stands for ``print`` in the module of Beam's worker."""


def worker_threads() -> list[threading.Thread]:
    """The threads of Beam's worker that run in this process now."""
    for module, name in _WORKER_THREADS:
        expect(name in _source(_module(module)), f"{module} starts no thread named {name}…")
    names = tuple(name for _, name in _WORKER_THREADS)
    return [thread for thread in threading.enumerate() if thread.name.startswith(names)]


def fetched_prism(location: str) -> str:
    """The path of the Prism binary at a URL or in a zip file, downloaded and unpacked by Beam.

    Raises:
        OSError: It cannot be downloaded.
        RuntimeError: The same.
        ValueError: The same, or Beam refuses the location.
    """
    server, name = _part(f"{_PORTABLE}.prism_runner", "PrismJobServer"), "_get_executable_path"
    expect(hasattr(server, name), f"PrismJobServer has no {name}")
    _takes(getattr(server, name), ["self"], f"PrismJobServer.{name}")
    return str(server(PipelineOptions([f"--prism_location={location}"]))._get_executable_path())


# Jobs on a cluster. What is remembered of a job travels on Beam's result, which ``run()`` returns.

_MARK = "sluice_mark"


def marking_runner(mark: Callable[[Any, PipelineOptions], object]) -> Any:
    """Beam's ``PortableRunner``, which marks each job right before it submits it.

    Args:
        mark: Takes the pipeline's proto and its options, which it may change. ``mark_of`` returns
            for the result of ``run()`` what it has returned.
    """
    portable = _part(f"{_PORTABLE}.portable_runner", "PortableRunner")
    result = _part(f"{_PORTABLE}.portable_runner", "PipelineResult")
    name = "run_portable_pipeline"
    expect(hasattr(portable, name), f"PortableRunner has no {name}")
    _takes(portable.run_portable_pipeline, ["self", "pipeline", "options"], name)
    expect(
        "self._job_id = job_id" in _source(result.__init__),
        "PipelineResult has no _job_id",
    )

    class MarkingRunner(portable):  # type: ignore[misc, valid-type]  # Beam ships no types
        def run_portable_pipeline(self, pipeline: Any, options: PipelineOptions) -> Any:
            remembered = mark(pipeline, options)
            return with_mark(super().run_portable_pipeline(pipeline, options), remembered)

    return MarkingRunner()


def with_mark(result: Any, mark: object) -> Any:
    """``result``, from which ``mark_of`` returns ``mark``."""
    expect(not hasattr(result, _MARK), f"{type(result).__name__} has a {_MARK} of its own")
    setattr(result, _MARK, mark)
    return result


def mark_of(result: Any) -> Any:
    """What the ``mark`` of ``marking_runner`` has returned for the job of ``result``."""
    expect(hasattr(result, _MARK), "PortableRunner.run_pipeline does not run_portable_pipeline")
    return getattr(result, _MARK)


def job_id(result: Any) -> str:
    """What the job server calls the job of ``result``."""
    expect(hasattr(result, "_job_id"), f"{type(result).__name__} has no _job_id")
    return str(result._job_id)


# Flags. Beam has no list of its options: it asks the subclasses of ``PipelineOptions``.


def option_classes() -> list[type[PipelineOptions]]:
    """Every class that declares flags for ``PipelineOptions``: Beam's, ours and the user's."""
    return list(PipelineOptions.__subclasses__())


def flag_parser(classes: Iterable[type[PipelineOptions]]) -> argparse.ArgumentParser:
    """A parser of the flags that ``classes`` declare. It raises ``argparse.ArgumentError``.

    Raises:
        UnexpectedBeam: Two of them declare the same flag, such as a new one of Beam's that is
            declared in ``runners/flink_flags.py`` too.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False, exit_on_error=False)
    for options in classes:
        name = f"{options.__module__}.{options.__qualname__}"
        expect(hasattr(options, "_add_argparse_args"), f"{name} has no _add_argparse_args")
        try:
            options._add_argparse_args(parser)
        except argparse.ArgumentError as error:
            raise UnexpectedBeam(
                f"{name} declares a flag that other options have too ({error})"
            ) from error
    return parser


def flags_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The flags of ``parser``, for which argparse has no public list either."""
    return list(parser._actions)
