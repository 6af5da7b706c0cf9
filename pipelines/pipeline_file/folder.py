"""All pipelines of a folder at once, for development: a process each, with one output."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, TextIO

from pipelines import command
from pipelines.pipeline_file.loading import PipelineFile, load
from pipelines.pipeline_file.reading.layers import SUFFIXES, environment_file
from pipelines.terminal import safe
from transforms.errors import ConfigError
from transforms.mapping.reading.document import load as document

MOST = 16
"""The most pipelines that one folder runs: each is a process of its own."""

_MILDEST_FIRST = (
    *(command.OK, command.PAUSED, command.DEAD_LETTERS, command.DEAD_BUDGET),
    *(command.FAILED, command.USAGE),
)


def run(
    folder: str, environment: str | None, settings: Sequence[str], process: Mapping[str, Any]
) -> int:
    """Run every pipeline file of a folder until all have ended; returns the worst exit code.

    Args:
        folder: The folder.
        environment: Whose files are laid over those that have one.
        settings: Laid over all.
        process: Options of the process, which each of them gets.

    Raises:
        ConfigError: There are none or too many, one is wrong, two have one name, or an option is for
            one process.
    """
    for name in ("summary_json", "metrics_address"):
        if name in process:
            raise ConfigError(f"--{name} is of one process; write it into each file of {folder}")
    names = pipelines_of(folder, environment, settings)
    width = max(map(len, names))
    processes: list[subprocess.Popen[bytes]] = []
    readers: list[threading.Thread] = []
    with _passing_on(processes):
        for name, path in names.items():
            own = environment if _has(path, environment) else None
            started = _started(_arguments(path, own, settings, process))
            processes.append(started)
            for pipe, stream in ((started.stdout, sys.stdout), (started.stderr, sys.stderr)):
                readers.append(_copying(pipe, stream, f"{safe(name):{width}} | "))
        codes = [started.wait() for started in processes]
        for reader in readers:
            reader.join()
    return worst(codes)


def pipelines_of(
    folder: str, environment: str | None = None, settings: Sequence[str] = ()
) -> Mapping[str, str]:
    """The files of the pipelines of a folder, by the name of the pipeline.

    A pipeline file is a mapping with a ``source``; files of environments, mappings, routes and schemas
    are none.

    Raises:
        ConfigError: As ``run``.
    """
    paths = [path for path in _candidates(Path(folder)) if _is_pipeline(path)]
    if not paths:
        raise ConfigError(f"{folder} has no pipeline file: a *.yaml or *.json with a source")
    if len(paths) > MOST:
        raise ConfigError(
            f"{folder} has {len(paths)} pipeline files, and at most {MOST} run at once; name one file"
        )
    files: dict[str, str] = {}
    for path in map(str, paths):
        file = load(path, environment if _has(path, environment) else None, settings)
        if file.problems:
            raise file.problems[0]
        name = name_of(file)
        if name in files:
            raise ConfigError(
                f"{files[name]} and {path} are both pipelines called {name}; give one another pipeline:"
            )
        files[name] = path
    return files


def name_of(file: PipelineFile) -> str:
    """The name of a pipeline: that of the file, otherwise of its table or its place for objects."""
    flags = file.flags
    return str(flags.pipeline or flags.table or flags.sink)


def worst(codes: Iterable[int]) -> int:
    """The worst of exit codes; that of a process which a signal has ended is a failure.

    >>> worst([0, 3, 1]), worst([0, -9]), worst([0, 5])
    (1, 1, 5)
    """
    every = [code if code in _MILDEST_FIRST else command.FAILED for code in codes]
    return max(every, key=_MILDEST_FIRST.index)


def _candidates(folder: Path) -> list[Path]:
    """What may be a pipeline file: those of environments stand beside another file."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    stems = {path.stem for path in paths}
    return [
        path for path in paths if "." not in path.stem or path.stem.rpartition(".")[0] not in stems
    ]


def _is_pipeline(path: Path) -> bool:
    whole = document(path)
    return isinstance(whole.value, dict) and "source" in whole.value


def _has(path: str, environment: str | None) -> bool:
    """Whether a file has one of the environment beside it."""
    if environment is None:
        return False
    try:
        environment_file(path, environment)
    except ConfigError:
        return False
    return True


def _arguments(
    path: str, environment: str | None, settings: Sequence[str], process: Mapping[str, Any]
) -> list[str]:
    """The arguments of one process."""
    arguments = [path, *(f"--set={setting}" for setting in settings)]
    if environment is not None:
        arguments.append(f"--env={environment}")
    for name, value in process.items():
        arguments.append(f"--{name}" if value is True else f"--{name}={value}")
    return arguments


def _started(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - this program itself
        [sys.executable, "-m", "pipelines.pipeline_file.run", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a signal to the terminal's group reaches it once, by this process
    )


@contextmanager
def _passing_on(processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Pass SIGINT and SIGTERM on to all processes while the block runs."""

    def pass_on(number: int, _frame: object) -> None:
        for process in tuple(processes):
            if process.poll() is None:
                process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _copying(pipe: IO[bytes] | None, stream: TextIO, prefix: str) -> threading.Thread:
    """A thread that copies the lines of a pipe to a stream, each behind ``prefix``."""

    def copy() -> None:
        with pipe or nullcontext(()) as lines:
            for line in lines:
                stream.write(f"{prefix}{line.decode('utf-8', 'replace').rstrip()}\n")
                stream.flush()

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    return thread
