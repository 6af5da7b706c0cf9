"""Command line flags of ``pipelines.ingest``, and the frozen configuration made of them."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions

from clients.kafka import config as kafka_config
from clients.s3 import S3Settings
from pipelines.command import Parser
from pipelines.steps import Steps, identity_of
from runners.runner import NAMES, Runner, named
from sinks.dead_letters.by_uri import dead_letter_sink_for
from sinks.jobs.queue import SqlJobQueue
from sinks.jobs.retention import Retention
from sinks.table.config import SqlConfig
from sources.by_uri import SourceOptions, source_for
from sources.files.csv.options import CsvOptions
from sources.jobs.source import JobsSource
from transforms.batch.backoff import Backoff
from transforms.batch.retry_policy import FOREIGN_KEY, RetryPolicy
from transforms.batch.splits import Source
from transforms.errors import ConfigError
from transforms.parse.parse import ParseConfig
from transforms.parse.validate import load_schema
from transforms.settle.dead_letters import DeadLetterSink
from transforms.settle.write import WriteConfig
from transforms.steps.pipeline_identity import PipelineIdentity

Option = str | int | float | bool | Sequence[str] | None
"""What a program may give for a flag: its value, True for a switch, or several values."""


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """Everything that ``pipelines.ingest.build`` needs.

    Attributes:
        sources: What is read.
        parse: Bounds of a record.
        schema: JSON Schema text, or None.
        sql: Where rows, dead letters and progress go.
        write: Bounds of a transaction, waits.
        retry: How often, and after which waits, a record is tried again.
        jobs: Where records that are to be tried again come back from.
        dead_letters: A second place for dead letters, or None.
        outbox: Whether what changes a row leaves a row in the outbox.
        streaming: Whether to go on when everything there is has been read.
        steps: The user's own, between Validate and Write.
        pipeline: What these steps and the pipeline are called.
    """

    sources: tuple[Source, ...]
    parse: ParseConfig
    schema: str | None
    sql: SqlConfig
    write: WriteConfig
    retry: RetryPolicy
    jobs: JobsSource
    dead_letters: DeadLetterSink | None
    outbox: bool
    streaming: bool
    steps: Steps
    pipeline: PipelineIdentity


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How the program runs: what is not the pipeline's.

    Attributes:
        runner: What runs the pipeline.
        beam_options: Flags that are Beam's own.
        summary_json: Where to write the summary, or None.
        fail_on_dead_letters: Exit 3 when there are any.
        progress: Whether to show a progress bar.
        detach: Whether to leave the job to the cluster once it has it.
    """

    runner: Runner
    beam_options: tuple[str, ...]
    summary_json: Path | None
    fail_on_dead_letters: bool
    progress: bool
    detach: bool = False


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
    add(
        "--pipeline",
        default="",
        metavar="NAME",
        help="the pipeline's name: it takes only the retries of its own name and steps "
        "(default: the table)",
    )
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
    add(
        "--encoding",
        default="",
        metavar="NAME",
        help="of text files: e.g. utf-16, latin-1, cp1252 (default: utf-8, or what a mark says)",
    )
    _add_csv(made)
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
        "--rest_seconds",
        type=float,
        default=10.0,
        metavar="S",
        help="with --streaming, a local file is whole once nobody has written to it for so long; "
        "until then a last line without an end, or a file that ends early, waits (default: 10)",
    )
    add(
        "--max_record_bytes",
        type=positive_int,
        default=1 << 20,
        metavar="N",
        help="a longer record is a dead letter (default: 1048576)",
    )
    add(
        "--max_depth",
        type=positive_int,
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
        type=positive_int,
        default=10,
        metavar="N",
        help="attempts at a record that may succeed later; then it is a dead letter (default: 10)",
    )
    add(
        "--backoff_base",
        type=float,
        default=1.0,
        metavar="S",
        help="longest wait after the first failed attempt, in seconds; it doubles with each "
        "(default: 1)",
    )
    add(
        "--backoff_cap",
        type=float,
        default=300.0,
        metavar="S",
        help="longest wait between two attempts, in seconds (default: 300)",
    )
    add(
        "--retry_on",
        default=FOREIGN_KEY,
        metavar="CODE[,CODE]",
        help="SQLSTATEs (or their beginnings) and categories of refused rows that may be accepted "
        f"later (default: {FOREIGN_KEY})",
    )
    add(
        "--retry_wait",
        type=float,
        default=30.0,
        metavar="S",
        help="a run without --streaming ends when no retry is due within so many seconds; the rest "
        "stays scheduled (default: 30)",
    )
    add(
        "--job_lease",
        type=float,
        default=20.0,
        metavar="S",
        help="retries of a process that is silent for so long are taken over (default: 20)",
    )
    add(
        "--retain",
        action="append",
        default=[],
        metavar="STATE=TIME",
        help="delete completed, cancelled or discarded jobs after e.g. 12h or 30d; may be repeated",
    )
    add(
        "--dead_letters",
        metavar="URI",
        help="a second place for dead letters: kafka://host:port/topic, s3://bucket/prefix or a folder",
    )
    add(
        "--outbox",
        action="store_true",
        help="keep every change to the table in ingest_outbox too, for pipelines.outbox",
    )
    add(
        "--outage_budget",
        type=float,
        metavar="S",
        help="seconds to wait for a database or brokers that are away, before failing "
        "(default: 300; 60 with FlinkRunner)",
    )
    add("--summary_json", metavar="FILE", help="write the summary there as JSON")
    add(
        "--fail_on_dead_letters", action="store_true", help="exit 3 when records were dead-lettered"
    )
    add(
        "--detach",
        action="store_true",
        help="submit the job to its cluster, print its id and return (FlinkRunner)",
    )
    add("--no_progress", action="store_true", help="no progress bar")
    add("--verbose", action="store_true", help="logs, and the stack of an error")
    return made


def _add_csv(to: Parser) -> None:
    add = to.add_argument
    add(
        "--csv_delimiter",
        metavar="CHAR",
        help="between fields; TAB or \\t is a tab (default: told from the first lines)",
    )
    add(
        "--csv_quote",
        default='"',
        metavar="CHAR",
        help='around fields; none for files without (default: ")',
    )
    add(
        "--csv_escape",
        default="",
        metavar="CHAR",
        help="before a character that has no special meaning, e.g. \\ (default: none)",
    )
    add(
        "--csv_header",
        choices=("true", "false"),
        help="whether the first line names the columns (default: true, and refused where it "
        "looks like data); with false and no --csv_columns they are column_1, column_2, …",
    )
    add(
        "--csv_columns",
        metavar="NAME[,NAME]",
        help="names of the columns of files without a header, or with --csv_header true in its "
        "place",
    )
    add(
        "--csv_skip",
        type=int,
        default=0,
        metavar="N",
        help="lines to leave out at the start of a file (default: 0)",
    )
    add(
        "--csv_comment",
        default="",
        metavar="CHAR",
        help="leave out lines that begin with it, e.g. '#' (default: none)",
    )
    add(
        "--csv_null",
        action="append",
        default=[],
        metavar="TEXT",
        help="an unquoted field of this text is NULL in every column, e.g. NA; may be repeated "
        "(default: only an empty one, and not in text columns)",
    )


def with_defaults(argv: Sequence[str], options: Mapping[str, Option]) -> list[str]:
    """``argv`` behind the flags for ``options``, but for those that ``argv`` has itself.

    Raises:
        ConfigError: An option of ``argv`` is wrong.

    >>> with_defaults(["--table", "b"], {"table": "a", "key": ["x", "y"], "streaming": True})
    ['--key=x,y', '--streaming', '--table', 'b']
    """
    ours = parser()
    for action in ours._actions:
        action.default = argparse.SUPPRESS
    given = vars(ours.parse_known_args(list(argv))[0])
    repeated = {each.dest for each in ours._actions if isinstance(each, argparse._AppendAction)}
    flags: list[str] = []
    for name, value in options.items():
        if name in given or value is None or value is False:
            continue
        if value is True:
            flags.append(f"--{name}")
        elif isinstance(value, str | int | float):
            flags.append(f"--{name}={value}")
        elif name in repeated:
            flags += [f"--{name}={each}" for each in value]
        else:
            flags.append(f"--{name}={','.join(value)}")
    return [*flags, *argv]


def from_argv(
    argv: Sequence[str], steps: Sequence[beam.PTransform] = ()
) -> tuple[IngestConfig, RunConfig]:
    """Parse the command line.

    Args:
        argv: The arguments.
        steps: The user's own steps.

    Raises:
        ConfigError: Naming the option that is missing, unknown or wrong.
    """
    known, rest = parser().parse_known_args(list(argv))
    runner = runner_of(known.runner)  # the options of the runner's own are known from here on
    refuse_unknown(rest, parser())
    missing = [f"--{name}" for name in ("source", "sink", "table") if not getattr(known, name)]
    if missing:
        raise ConfigError(f"missing {', '.join(missing)} (--help lists every option)")
    if known.outage_budget is None:
        known.outage_budget = runner.outage_budget
    if not known.outage_budget >= 0:
        raise ConfigError(f"--outage_budget must be 0 seconds or more, got {known.outage_budget:g}")
    schema = load_schema(known.schema) if known.schema else None
    for name in ("retry_wait", "job_lease"):
        if getattr(known, name) < (0 if name == "retry_wait" else 1):
            raise ConfigError(f"--{name} must be longer, got {getattr(known, name):g} seconds")
    sql = SqlConfig.of(
        url=known.sink,
        table=known.table,
        key=_key(known.key),
        on_conflict=known.on_conflict,
        unknown_fields=known.unknown_fields,
        schema=schema,
    )
    sources = _sources(known, parallel=runner.parallel)
    parse = ParseConfig(max_record_bytes=known.max_record_bytes, max_depth=known.max_depth)
    steps = tuple(steps)
    pipeline = identity_of(
        *(known.pipeline, steps, parse, schema, sql.key, sql.on_conflict, sql.unknown_fields)
    )
    ingest = IngestConfig(
        sources=sources,
        parse=parse,
        schema=schema,
        sql=sql,
        write=WriteConfig(
            backoff=_in_place(known.backoff_base, known.backoff_cap),
            outage_budget=known.outage_budget,
        ),
        retry=RetryPolicy(
            Backoff(known.backoff_base, known.backoff_cap),
            known.max_attempts,
            tuple(filter(None, known.retry_on.split(","))),
        ),
        jobs=JobsSource(
            SqlJobQueue(sql, known.job_lease, _retention(known.retain), pipeline),
            streaming=known.streaming,
            retry_wait=known.retry_wait,
            outage_budget=known.outage_budget,
        ),
        dead_letters=_dead_letters(known, sources),
        outbox=known.outbox,
        streaming=known.streaming,
        steps=steps,
        pipeline=pipeline,
    )
    run = RunConfig(
        runner=runner,
        beam_options=(*rest, *_of_the_job(known, runner, rest)),
        summary_json=Path(known.summary_json) if known.summary_json else None,
        fail_on_dead_letters=known.fail_on_dead_letters,
        progress=not known.no_progress,
        detach=known.detach,
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
        rest_seconds=known.rest_seconds,
        encoding=known.encoding,
        csv=CsvOptions.of(
            delimiter=known.csv_delimiter,
            quote=known.csv_quote,
            escape=known.csv_escape,
            header=known.csv_header,
            columns=known.csv_columns,
            skip=known.csv_skip,
            comment=known.csv_comment,
            nulls=tuple(known.csv_null),
        ),
    )
    uris = list(dict.fromkeys(known.source))
    if len(uris) < len(known.source):
        raise ConfigError("a --source is given twice")
    return tuple(source_for(uri, options) for uri in uris)


def _of_the_job(known: argparse.Namespace, runner: Runner, rest: Sequence[str]) -> Iterator[str]:
    """What a cluster is to know of the job: Beam's own options, which ours of that name hide."""
    if runner.submitted is None:
        if known.detach:
            raise ConfigError(f"--detach: with {runner.name} the pipeline ends with this process")
        return
    if known.detach and (known.summary_json or known.fail_on_dead_letters):
        raise ConfigError("--detach does not wait for what --summary_json or --fail_on… need")
    portable = PipelineOptions(list(rest)).view_as(PortableOptions)
    if known.detach and portable.environment_type == "LOOPBACK":
        raise ConfigError(
            "--detach: with --environment_type LOOPBACK the workers are this process and end with it"
        )
    _refuse_places_of_one_process(known, runner)
    yield from told_to_a_cluster(f"ingest-{known.table}", rest, streaming=known.streaming)


def told_to_a_cluster(name: str, rest: Sequence[str], *, streaming: bool) -> Iterator[str]:
    """Beam's own options that a cluster is to have of a job.

    Args:
        name: What the job is called unless ``rest`` says otherwise.
        rest: Beam's options that the user gave.
        streaming: Whether it goes on for ever.
    """
    if streaming:
        yield "--streaming"
    if not any(each.split("=", 1)[0] == "--job_name" for each in rest):
        yield f"--job_name={name}"


def _refuse_places_of_one_process(known: argparse.Namespace, runner: Runner) -> None:
    """A glob that matches here and nothing there would be a run that reads nothing and is done."""
    for option, given in (("--source", known.source), ("--dead_letters", [known.dead_letters])):
        for uri in filter(None, given):
            if "://" not in uri and not uri.startswith("/"):
                raise ConfigError(
                    f"{option} {uri}: the workers of {runner.name} have working directories of "
                    "their own; write an absolute path, that all of them have"
                )
    refuse_database_of_one_process(known.sink, runner)


def refuse_database_of_one_process(sink: str, runner: Runner) -> None:
    """Refuse a file that the workers of a cluster would each find, or make, elsewhere.

    Raises:
        ConfigError: ``sink`` is such a file.
    """
    if re.match(r"sqlite(\+\w+)?:///?(?!/)", sink):
        raise ConfigError(
            f"--sink {sink}: the workers of {runner.name} need one database; use "
            "postgresql://…, or for tests on one machine sqlite:////absolute/path.db"
        )


def _in_place(base: float, cap: float) -> Backoff:
    """Waits for a database that is away or rolls back: short ones, to notice when it is back."""
    return Backoff(min(base, 0.25), max(min(cap, 15.0), min(base, 0.25)))


def _retention(given: Sequence[str]) -> Retention | None:
    return Retention.parse(given) if given else None


def _dead_letters(known: argparse.Namespace, sources: Sequence[Source]) -> DeadLetterSink | None:
    if known.dead_letters is None:
        return None
    made = dead_letter_sink_for(
        known.dead_letters,
        kafka_config=kafka_config.parse(known.kafka_config),
        s3=S3Settings(endpoint_url=known.s3_endpoint_url),
    )
    for source in sources:
        if source.owns(made.writes_to):
            raise ConfigError(
                f"--dead_letters {known.dead_letters} is read by --source {source.uri}: dead letters "
                "would be read again for ever; name another place"
            )
    return made


def runner_of(name: str) -> Runner:
    """The runner of that name.

    Raises:
        ConfigError: There is none.
    """
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


def positive_int(text: str) -> int:
    """The type of a flag that takes a whole number of 1 or more."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return number


def refuse_unknown(rest: Sequence[str], ours: Parser) -> None:
    """Refuse what is no flag of Beam's either, which only warns: a typo must not pass.

    Args:
        rest: What ``ours`` left over.
        ours: The command's own flags.

    Raises:
        ConfigError: Naming the first unknown flag, and a known one that is close to it.
    """
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
    names = [option for action in ours._actions for option in action.option_strings]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else " (--help lists every option)"
    raise ConfigError(f"unknown option {name}{hint}")
