"""Steps of the command line: ``--step ./file.py:function?concurrency=8`` becomes an ``EachRecord``."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import isclass, signature
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pipelines.ingestion.flags import STEP_OPTIONS
from transforms.errors import ConfigError
from transforms.steps.each_record import EachRecord
from transforms.steps.source_function import SourceFunction

OURS = frozenset(
    {
        *("pipelines", "transforms", "io", "sources", "sinks", "clients", "runners", "sluice"),
        *("tests", "benchmarks", "examples"),
    }
)
"""Packages that are called as ours: here, another one is found under the name than on a worker."""

_FORM = (
    "write ./file.py:function or package.module:function, and options as ?concurrency=8&timeout=5"
)


def steps_of(references: Sequence[str], *, remote: bool) -> tuple[EachRecord, ...]:
    """The steps that ``--step`` names, in order.

    Args:
        references: The values of ``--step``.
        remote: Whether the steps run on other machines.

    Raises:
        ConfigError: One of them cannot be used; the message says why in one line.
    """
    return tuple(_step(reference, remote=remote) for reference in references)


def _step(reference: str, *, remote: bool) -> EachRecord:
    place, _, query = reference.partition("?")
    where, _, name = place.rpartition(":")
    if not (where and name.isidentifier()):
        raise ConfigError(f"--step {reference}: {_FORM}")
    options = _options(reference, query)
    named = _file(reference, where, remote=remote) if _is_path(where) else _module(reference, where)
    functions: dict[str, Any] = {
        part: named(options[part]) for part in ("setup", "teardown") if part in options
    }
    function = named(name)
    _check_call(reference, function, name, 2 if "setup" in options else 1)
    try:
        return EachRecord(
            function,
            options.get("label", name),
            concurrency=_number(options, "concurrency", int, 1),
            timeout=_number(options, "timeout", float, None),
            rate=_number(options, "rate", float, None),
            batch=_number(options, "batch", int, None),
            **functions,
        )
    except ConfigError as error:
        raise ConfigError(f"--step {reference}: {error}") from error


def _is_path(where: str) -> bool:
    return where.endswith(".py") or "/" in where or "\\" in where


def _options(reference: str, query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    unknown = [name for name in options if name not in STEP_OPTIONS]
    if unknown:
        raise ConfigError(
            f"--step {reference}: there is no option {unknown[0]!r}; use {', '.join(STEP_OPTIONS)}"
        )
    if len(options) < len(pairs):
        raise ConfigError(f"--step {reference}: an option is given twice")
    empty = [name for name, value in pairs if not value]
    if empty:
        raise ConfigError(f"--step {reference}: option {empty[0]!r} has no value")
    return options


def _number(options: Mapping[str, str], name: str, kind: Callable[[str], Any], default: Any) -> Any:
    if name not in options:
        return default
    try:
        return kind(options[name])
    except ValueError:
        what = "whole number" if kind is int else "number"
        raise ConfigError(f"{name} must be a {what}, got {options[name]!r}") from None


def _file(reference: str, where: str, *, remote: bool) -> Callable[[str], SourceFunction]:
    """Finds functions of a file by their names."""
    path = Path(where).absolute()
    if path.is_dir():
        raise ConfigError(f"--step {reference}: {where} is a folder; name a Python file")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"--step {reference}: there is no file {where}") from None
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"--step {reference}: {where} cannot be read ({what})") from error
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)  # behind everything else, so that it hides nothing
    before = set(sys.modules)

    def named(name: str) -> SourceFunction:
        try:
            function = SourceFunction(str(path), text, name)
        except BaseException as error:
            raise _unusable(reference, where, name, error, str(path)) from error
        _refuse_companions(reference, path, set(sys.modules) - before, remote=remote)
        _check_function(reference, function.__wrapped__, name)
        return function

    return named


def _refuse_companions(reference: str, path: Path, names: set[str], *, remote: bool) -> None:
    """Refuse what workers elsewhere do not have: modules beside the file."""
    for name in sorted(names) if remote else ():
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and Path(file).is_relative_to(path.parent) and "site-packages" not in file:
            if Path(file) == path:
                continue
            raise ConfigError(
                f"--step {reference}: it imports {name} from {file}, which the workers do not have; "
                "put all of it into one file, or install it on the workers as a package"
            )


def _module(reference: str, where: str) -> Callable[[str], Any]:
    """Finds functions of an installed module by their names."""
    top = where.partition(".")[0]
    if top in OURS:
        raise ConfigError(
            f"--step {reference}: {top} is the name of a package of this program or of Python; give "
            f"yours another name, or name its file: ./{where.replace('.', '/')}.py"
        )
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))

    def named(name: str) -> Any:
        try:
            function = getattr(import_module(where), name)
        except BaseException as error:
            raise _unusable(reference, where, name, error, "") from error
        _check_function(reference, function, name)
        return function

    return named


def _unusable(
    reference: str, where: str, name: str, error: BaseException, path: str
) -> BaseException:
    """One line on why a function cannot be had; what is not a mistake of the user's stays as it is."""
    start = f"--step {reference}:"
    if isinstance(error, KeyboardInterrupt | MemoryError):
        return error
    if isinstance(error, AttributeError) and error.name == name:
        return ConfigError(f"{start} {where} has no function {name}")
    if isinstance(error, SyntaxError) and (not path or error.filename == path):
        return ConfigError(f"{start} line {error.lineno} of {where}: {error.msg}")
    missing = error.name if isinstance(error, ModuleNotFoundError) and not path else None
    if missing is not None and f"{where}.".startswith(f"{missing}."):
        return ConfigError(f"{start} there is no module {missing}")
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path
    ]
    line = f" (line {frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return ConfigError(f"{start} {where} cannot be loaded: {type(error).__name__}: {text}{line}")


def _check_function(reference: str, function: object, name: str) -> None:
    if not callable(function) or isclass(function):
        what = "class" if isclass(function) else type(function).__name__
        raise ConfigError(f"--step {reference}: {name} is a {what}, not a function")


def _check_call(reference: str, function: Any, name: str, arguments: int) -> None:
    """Refuse a function that cannot be called as a step is."""
    try:
        shape = signature(function)
    except ValueError:  # of C, which does not say
        return
    try:
        shape.bind(*(None,) * arguments)
    except TypeError as error:
        taken = "the record" if arguments == 1 else "the record and the client that setup makes"
        raise ConfigError(
            f"--step {reference}: {name}{shape} is called with {taken}: {error}"
        ) from error
