"""Command line flags of ``pipelines.ingest``, and the frozen configuration made of them."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.command import Parser
from runners import NAMES, Runner, named
from sinks.config import SqlConfig
from sources import SourceOptions, kafka_config, source_for
from sources.s3 import S3Settings
from transforms.backoff import Backoff
from transforms.errors import ConfigError
from transforms.parse import ParseConfig
from transforms.splits import Source
from transforms.validate import load_schema
from transforms.write import WriteConfig


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """Everything that ``pipelines.ingest.build`` needs.

    Attributes:
        sources: What is read.
        parse: Bounds of a record.
        schema: JSON Schema text, or None.
        sql: Where rows, dead letters and progress go.
        write: Bounds of a transaction, waits.
        streaming: Whether to go on when everything there is has been read.
    """

    sources: tuple[Source, ...]
    parse: ParseConfig
    schema: str | None
    sql: SqlConfig
    write: WriteConfig
    streaming: bool


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How the program runs: what is not the pipeline's.

    Attributes:
        runner: What runs the pipeline.
        beam_options: Flags that are Beam's own.
        summary_json: Where to write the summary, or None.
        fail_on_dead_letters: Exit 3 when there are any.
        progress: Whether to show a progress bar.
    """

    runner: Runner
    beam_options: tuple[str, ...]
    summary_json: Path | None
    fail_on_dead_letters: bool
    progress: bool


def parser() -> Parser:
    """The flags of ``pipelines.ingest``; each says its unit and default."""
    made = Parser(
        prog="python -m pipelines.ingest",
        description="Read files, S3 objects or Kafka topics into a SQL table, every record once in effect.",
    )
    add = made.add_argument
    add("--runner", default="DirectRunner", metavar="NAME", help=f"one of {', '.join(NAMES)}")
    add(
        "--source",
        action="append",
        metavar="URI",
        help="./events/*.jsonl, file:///…, s3://bucket/prefix/*.jsonl.gz, "
        "kafka://host:port/topic[?group=NAME]; may be repeated",
    )
    add(
        "--sink",
        metavar="URL",
        help="SQLAlchemy URL: sqlite:///ingest.db, postgresql://user@host/db; "
        "${env:NAME} and ${file:/path} in it are read where they are used",
    )
    add("--table", metavar="NAME", help="target table, schema-qualified if need be")
    add("--key", default="", metavar="FIELD[,FIELD]", help="the key; default: the record's origin")
    add(
        "--on_conflict",
        default="ignore",
        metavar="ignore|update|newest:FIELD",
        help="what a record does whose key is there already (default: ignore)",
    )
    add(
        "--format",
        default="auto",
        choices=("auto", "jsonl", "csv", "parquet"),
        help="how objects are read (default: auto, by name)",
    )
    add("--schema", metavar="FILE", help="JSON Schema; also creates a missing table")
    add(
        "--unknown_fields",
        default="reject",
        choices=("reject", "ignore", "payload"),
        help="a field without a column rejects the record, is ignored, or goes to `payload`",
    )
    add(
        "--streaming",
        action="store_true",
        help="go on for ever: watch for new objects and messages",
    )
    add(
        "--max_record_bytes",
        type=_positive_int,
        default=1 << 20,
        metavar="N",
        help="a longer record is a dead letter (default: 1048576)",
    )
    add(
        "--max_depth",
        type=_positive_int,
        default=100,
        metavar="N",
        help="a JSON record nested deeper is a dead letter (default: 100)",
    )
    add(
        "--kafka_config",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of librdkafka, e.g. security.protocol=SASL_SSL or "
        "'sasl.password=${env:NAME}'; may be repeated",
    )
    add("--s3_endpoint_url", metavar="URL", help="another S3 than AWS's")
    add(
        "--max_attempts",
        type=_positive_int,
        default=10,
        metavar="N",
        help="tries of a transaction that the database rolls back (default: 10)",
    )
    add(
        "--backoff_base",
        type=float,
        default=0.25,
        metavar="S",
        help="longest wait after the first failed try, in seconds (default: 0.25)",
    )
    add(
        "--backoff_cap",
        type=float,
        default=15.0,
        metavar="S",
        help="longest wait between two tries, in seconds (default: 15)",
    )
    add(
        "--outage_budget",
        type=float,
        default=300.0,
        metavar="S",
        help="seconds to wait for a database or brokers that are away, before failing "
        "(default: 300)",
    )
    add("--summary_json", metavar="FILE", help="write the summary there as JSON")
    add(
        "--fail_on_dead_letters", action="store_true", help="exit 3 when records were dead-lettered"
    )
    add("--no_progress", action="store_true", help="no progress bar")
    add("--verbose", action="store_true", help="logs, and the stack of an error")
    return made


def from_argv(argv: Sequence[str]) -> tuple[IngestConfig, RunConfig]:
    """Parse the command line.

    Raises:
        ConfigError: Naming the option that is missing, unknown or wrong.
    """
    known, rest = parser().parse_known_args(list(argv))
    _refuse_unknown(rest)
    missing = [f"--{name}" for name in ("source", "sink", "table") if not getattr(known, name)]
    if missing:
        raise ConfigError(f"missing {', '.join(missing)} (--help lists every option)")
    runner = _runner(known.runner)
    if known.outage_budget < 0:
        raise ConfigError(f"--outage_budget must be 0 seconds or more, got {known.outage_budget:g}")
    schema = load_schema(known.schema) if known.schema else None
    backoff = Backoff(known.backoff_base, known.backoff_cap)
    ingest = IngestConfig(
        sources=_sources(known, parallel=runner.parallel),
        parse=ParseConfig(max_record_bytes=known.max_record_bytes, max_depth=known.max_depth),
        schema=schema,
        sql=SqlConfig.of(
            url=known.sink,
            table=known.table,
            key=_key(known.key),
            on_conflict=known.on_conflict,
            unknown_fields=known.unknown_fields,
            schema=schema,
        ),
        write=WriteConfig(
            backoff=backoff,
            outage_budget=known.outage_budget,
            max_attempts=known.max_attempts,
        ),
        streaming=known.streaming,
    )
    run = RunConfig(
        runner=runner,
        beam_options=tuple(rest),
        summary_json=Path(known.summary_json) if known.summary_json else None,
        fail_on_dead_letters=known.fail_on_dead_letters,
        progress=not known.no_progress,
    )
    return ingest, run


def _sources(known: argparse.Namespace, *, parallel: bool) -> tuple[Source, ...]:
    options = SourceOptions(
        format=known.format,
        max_record_bytes=known.max_record_bytes,
        s3=S3Settings(endpoint_url=known.s3_endpoint_url),
        streaming=known.streaming,
        parallel=parallel,
        outage_budget=known.outage_budget,
        kafka=kafka_config.parse(known.kafka_config),
    )
    uris = list(dict.fromkeys(known.source))
    if len(uris) < len(known.source):
        raise ConfigError("a --source is given twice")
    return tuple(source_for(uri, options) for uri in uris)


def _runner(name: str) -> Runner:
    try:
        return named(name)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _key(text: str) -> tuple[str, ...]:
    fields = tuple(part.strip() for part in text.split(",")) if text else ()
    if not all(fields):
        raise ConfigError(f"--key has an empty field name: {text!r}")
    if len(set(fields)) < len(fields):
        raise ConfigError(f"--key names a field twice: {text!r}")
    return fields


def _positive_int(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return number


def _refuse_unknown(rest: Sequence[str]) -> None:
    """Beam only warns about a flag that nobody knows; a typo must not pass."""
    theirs = argparse.ArgumentParser(allow_abbrev=False, add_help=False, exit_on_error=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(theirs)
    try:
        _, unknown = theirs.parse_known_args(list(rest))
    except argparse.ArgumentError as error:
        raise ConfigError(str(error)) from error
    if not unknown:
        return
    flag = next((each for each in unknown if each.startswith("-")), unknown[0])
    name = flag.split("=", 1)[0]
    ours = [option for action in parser()._actions for option in action.option_strings]
    near = difflib.get_close_matches(name, ours, n=1)
    hint = f"; did you mean {near[0]}?" if near else " (--help lists every option)"
    raise ConfigError(f"unknown option {name}{hint}")
