"""What a command logs on stderr: lines for people on a terminal, and JSON for programs otherwise.

Code logs through ``logging.getLogger(__name__)``. What a line knows beside its text (a source, a
partition, an offset) comes as ``extra=``; only the names in ``FIELDS`` get through, so that nothing of
a record slips into a log. Libraries stay silent below critical unless ``--verbose`` is given.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from pipelines.terminal import SafeFormatter, safe
from transforms.secrets import redact

FORMATS = ("auto", "console", "json")
"""How lines look; ``auto`` is ``console`` on a terminal and ``json`` otherwise."""

LEVELS = ("debug", "info", "warning", "error")

FIELDS = frozenset(
    {
        *("runner", "streaming", "sources"),
        *("source", "partition", "offset", "element", "first_offset", "last_offset"),
        *("job", "jobs", "lease", "holder", "stage", "category", "service", "seconds"),
        *("flink_job", "order"),
        *("records", "records_per_second", "lag", "lag_by_source", "dead", "retrying", "away"),
        "held",
        *("freshness_seconds", "seconds_since_commit"),
    }
)
"""The names of ``extra=`` that a line may have."""

_PACKAGES = ("pipelines", "transforms", "clients", "sources", "sinks", "runners")
_CONSOLE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LONGEST = 8_000
"""Characters of a text in a line of JSON; what is longer is cut."""

_MOST = 100
"""Elements of a list or mapping in a line of JSON."""

# Of the process, not of a context: the threads that read and write do not inherit one.
_about: dict[str, str] = {}


def set_up(arguments: Sequence[str]) -> None:
    """Log as the arguments of a command ask: ``--log_format``, ``--log_level`` and ``--verbose``.

    It comes before the arguments are parsed, so that a mistake in them is reported in the same way;
    a value that is none is left to the parser.
    """
    verbose = "--verbose" in arguments
    level = _chosen(arguments, "--log_level", LEVELS) or ("debug" if verbose else "info")
    style = _chosen(arguments, "--log_format", FORMATS) or "auto"
    if style == "auto":
        style = "console" if sys.stderr.isatty() else "json"
    handler = _Stderr()
    handler.setFormatter(
        _JsonFormatter(stacks=verbose) if style == "json" else SafeFormatter(_CONSOLE)
    )
    others = logging.INFO if verbose else logging.CRITICAL
    logging.basicConfig(level=others, handlers=[handler], force=True)
    # Beam logs through its own loggers and through the root logger.
    logging.getLogger("apache_beam").setLevel(others)
    logging.getLogger("apache_beam.typehints").setLevel(logging.ERROR)
    for package in _PACKAGES:
        logging.getLogger(package).setLevel(level.upper())


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """Have each line of JSON say ``run``, ``pipeline`` and ``target`` while the block runs."""
    _about.update(fields)
    try:
        yield
    finally:
        _about.clear()


def _chosen(arguments: Sequence[str], option: str, choices: Sequence[str]) -> str | None:
    """The value of an option if it is one of ``choices``."""
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name.replace("-", "_") != option.replace("-", "_"):
            continue
        if not equals:
            value = arguments[index + 1] if index + 1 < len(arguments) else ""
        return value if value in choices else None
    return None


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stderr`` is at the time: a progress bar replaces it, to stay below."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _JsonFormatter(logging.Formatter):
    """One JSON object a line.

    Args:
        stacks: Whether to show stacks. The message of an exception may quote a record.
    """

    def __init__(self, *, stacks: bool) -> None:
        super().__init__()
        self._stacks = stacks

    def format(self, record: logging.LogRecord) -> str:
        # The fields of a line, in the order in which they are read.
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_about,
            **{name: value for name, value in vars(record).items() if name in FIELDS},
        }
        if self._stacks and record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: _cleaned(value) for name, value in line.items()})


def _cleaned(value: object) -> object:
    """``value`` without secrets, safe and bounded, as JSON knows it."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, Mapping):
        pairs = list(value.items())[:_MOST]
        return {str(_cleaned(str(name))): _cleaned(each) for name, each in pairs}
    if isinstance(value, list | tuple):
        return [_cleaned(each) for each in value[:_MOST]]
    text = safe(redact(str(value)))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
