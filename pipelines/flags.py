"""Flags that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.telemetry import logs
from runners.runner import NAMES, Runner
from transforms.route.reading.quantities import bytes_of

Schema = Mapping[str, Any]
"""A JSON Schema of the values that a flag takes where they stand in a pipeline file."""

_OBJECT_SCHEMES = ("s3", "file")
"""The schemes of sinks that hold objects instead of tables."""

_LARGEST = 2**63 - 1
"""The largest number that every database can compare a column with."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """Reads a whole number."""

    at_least: int = 1

    def __call__(self, text: str) -> int:
        least = min(1, self.at_least)
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= _LARGEST:
            raise argparse.ArgumentTypeError(
                f"must be a whole number of at least {least}, got {text!r}"
            )
        if number < self.at_least:
            raise argparse.ArgumentTypeError(f"must be at least {self.at_least}, got {text!r}")
        return number

    @property
    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.at_least}


positive_int = _Whole()
"""The type of a flag that takes a whole number of at least 1."""


def whole(at_least: int) -> Callable[[str], int]:
    """The type of a flag that takes a whole number.

    Args:
        at_least: The smallest number that makes sense.

    Returns:
        A function that raises ``argparse.ArgumentTypeError`` for anything else.
    """
    return _Whole(at_least)


@dataclass(frozen=True, slots=True)
class _Seconds:
    """Reads a number of seconds."""

    at_least: float

    def __call__(self, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not number >= self.at_least:  # NaN is not
            raise argparse.ArgumentTypeError(f"must be at least {self.at_least} s, got {text!r}")
        return number

    @property
    def schema(self) -> Schema:
        return {"type": "number", "minimum": self.at_least}


def seconds(at_least: float) -> Callable[[str], float]:
    """The type of a flag that takes a number of seconds.

    Args:
        at_least: The smallest number that makes sense.

    Returns:
        A function that raises ``argparse.ArgumentTypeError`` for anything else.
    """
    return _Seconds(at_least)


@dataclass(frozen=True, slots=True)
class _Rate:
    """Reads a number per second."""

    def __call__(self, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not 0 < number < float("inf"):  # NaN is not
            raise argparse.ArgumentTypeError(f"must be a number per second above 0, got {text!r}")
        return number

    @property
    def schema(self) -> Schema:
        return {"type": "number", "exclusiveMinimum": 0}


rate = _Rate()
"""The type of a flag that takes a number per second, greater than 0."""


@dataclass(frozen=True, slots=True)
class Described:
    """The type of a flag that ``read`` reads, with the JSON Schema of what it takes.

    Attributes:
        read: Raises ``argparse.ArgumentTypeError`` for what it does not take.
        schema: Of the value in a pipeline file.
    """

    read: Callable[[str], Any]
    schema: Schema = field(hash=False)  # argparse looks types up by hash

    def __call__(self, text: str) -> Any:
        """What ``text`` means."""
        return self.read(text)


def is_of_objects(sink: str) -> bool:
    """Whether a ``--sink`` is a place for objects and no database."""
    return _scheme(sink) in _OBJECT_SCHEMES


def _scheme(uri: str) -> str:
    return uri.partition(":")[0].lower()


def database_url(text: str) -> str:
    """The type of a ``--sink`` that is a database.

    Raises:
        argparse.ArgumentTypeError: ``text`` names a place for objects, whose state is elsewhere.
    """
    if is_of_objects(text):
        raise argparse.ArgumentTypeError(
            f"{_scheme(text)}:// holds objects only; their ledger, jobs and counts are in the database that "
            "the ingest has as --state: give its URL"
        )
    return text


def _size(text: str) -> int:
    """A number of bytes, at least 1."""
    try:
        number = bytes_of(text)
    except ValueError:
        number = 0
    if not 1 <= number <= _LARGEST:
        raise argparse.ArgumentTypeError(f"must be a size such as 256MB or 64KiB, got {text!r}")
    return number


size = Described(_size, {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string"}]})
"""The type of a flag that takes a number of bytes, at least 1: ``256MB``, ``64 KiB``, ``1000``.

1 MB is 10^6 bytes.
"""


def add_runner(parser: argparse._ActionsContainer) -> None:
    """Add ``--runner``."""
    parser.add_argument(
        "--runner",
        type=Described(str, {"enum": list(NAMES)}),
        default="DirectRunner",
        metavar="NAME",
        help=f"one of {', '.join(NAMES)}; Beam's options for it may follow (default: DirectRunner)",
    )


def add_step(parser: argparse.ArgumentParser) -> None:
    """Add ``--step``."""
    add = parser.add_argument_group("steps of your own").add_argument
    add(
        "--step",
        action="append",
        default=[],
        metavar="REF",
        help="a function that each record passes before it is written: ./file.py:function or "
        "package.module:function, with options as ?concurrency=8&timeout=5&rate=100&batch=50&"
        "setup=NAME&teardown=NAME&label=NAME (seconds, calls a second, records a call; default: one call "
        "at a time, without bounds, labelled as the function); may be repeated",
    )


def add_kafka_config(parser: argparse._ActionsContainer) -> None:
    """Add ``--kafka_config``."""
    parser.add_argument(
        "--kafka_config",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of librdkafka, e.g. security.protocol=SASL_SSL or "
        "'sasl.password=${env:NAME}'; may be repeated",
    )


def add_outage_budget(parser: argparse._ActionsContainer) -> None:
    """Add ``--outage_budget``, whose default depends on the runner (``set_outage_budget``)."""
    parser.add_argument(
        "--outage_budget",
        type=seconds(at_least=0),
        metavar="S",
        help="how many seconds to wait for a database, broker or object store that is away, at the "
        "start too, before failing "
        "(default: 300; 60 with FlinkRunner)",
    )


def add_output(parser: argparse._ActionsContainer) -> None:
    """Add ``--summary_json`` and the options of ``add_verbose``."""
    parser.add_argument(
        "--summary_json", metavar="FILE", help="write the summary to this file as JSON"
    )
    add_verbose(parser)


def add_sink(parser: argparse._ActionsContainer, text: str = "SQLAlchemy URL") -> None:
    """Add ``--sink``, which has to be given; ``text`` says which database it names."""
    parser.add_argument(
        "--sink",
        type=database_url,
        required=True,
        metavar="URL",
        help=f"{text}: sqlite:///ingest.db, postgresql://user@host/db; of an ingest into objects, its "
        "--state",
    )


def add_reason(parser: argparse._ActionsContainer, text: str, *, required: bool = False) -> None:
    """Add ``--reason`` and ``--by``, for the audit trail.

    Args:
        parser: To which.
        text: The help of ``--reason``.
        required: Whether it must be there.
    """
    parser.add_argument("--reason", metavar="TEXT", required=required, help=text)
    parser.add_argument("--by", metavar="NAME", help="who (default: the user of this process)")


def add_verbose(parser: argparse._ActionsContainer) -> None:
    """Add ``--verbose``, ``--log_level`` and ``--log_format``."""
    parser.add_argument(
        "--verbose",
        action="store_true",
        help="log everything, also what Beam logs, and show an error's stack",
    )
    parser.add_argument(
        "--log_level",
        choices=logs.LEVELS,
        default="info",
        help="log lines of this level and above (default: info; debug with --verbose)",
    )
    parser.add_argument(
        "--log_format",
        choices=logs.FORMATS,
        default="auto",
        help="how log lines on stderr look: auto is console on a terminal, and json, one object a "
        "line, otherwise (default: auto)",
    )


def set_outage_budget(flags: argparse.Namespace, runner: Runner) -> None:
    """Give ``flags.outage_budget`` the runner's default unless the user chose one."""
    if flags.outage_budget is None:
        flags.outage_budget = runner.outage_budget
