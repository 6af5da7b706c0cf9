"""Every flag of ``pipelines.ingest``; each states its unit and its default."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pipelines.command import DEAD_BUDGET, DEAD_LETTERS, FAILED, OK, PAUSED, Parser
from pipelines.flags import (
    Described,
    add_kafka_config,
    add_outage_budget,
    add_output,
    add_runner,
    add_step,
    positive_int,
    rate,
    seconds,
    size,
    whole,
)
from pipelines.ingestion.configuring.change_flags import add_changes
from pipelines.ingestion.configuring.layout_flags import add_csv, add_json
from pipelines.ingestion.configuring.registry_flags import add_registry
from pipelines.ingestion.configuring.target_flags import add_target
from pipelines.telemetry.address import address
from sources.files.formats import COMPRESSIONS, FORMATS
from transforms.batch.retry_policy import FOREIGN_KEY

STREAMING_REST = 10.0
BOUNDED_REST = 1.0
"""Seconds without a write after which a file is whole, by default."""

LEAST_IN_FLIGHT = 4
"""A quarter each for the steps, the writer's queue (which takes one batch more) and its commit."""

MAX_DEAD = "50%"
"""How many records may become dead letters by default; a percentage, as ``--max_dead``."""

ALONE = (
    *("format", "compression", "encoding", "exclude", "rest_seconds", "poll_interval"),
    *("missing_topic", "fair", "kafka_config", "s3_endpoint_url", "json_layout", "json_path"),
    *("csv_delimiter", "csv_quote", "csv_escape", "csv_header", "csv_columns", "csv_skip"),
    *("csv_comment", "csv_null"),
)
"""The options that one source may have for itself (``alone`` of the options, by URI)."""

STEP_OPTIONS = ("label", "concurrency", "timeout", "rate", "batch", "setup", "teardown")
"""What a step may have behind ``?``."""

_COUNT = r"^[0-9.]+ *%?$"
"""What ``--max_dead`` looks like."""

Option = str | int | float | bool | Sequence[str] | None
"""What a program may give for a flag: its value, True for a switch, or several values."""


_EXAMPLES = """\
examples:
  %(prog)s --source './events/*.jsonl' --sink sqlite:///ingest.db --table events --key id
  %(prog)s --source 's3://bucket/2026/*.csv.gz' --sink postgresql://user@host/db \\
      --table orders --key order_id --on_conflict newest:updated_at
  %(prog)s --source kafka://localhost:9092/orders --sink 'postgresql://user:${env:PGPASSWORD}@host/db' \\
      --table orders --key order_id --streaming
  %(prog)s --source kafka://localhost:9092/shop --sink postgresql://user@host/db \
      --routes shop.routes.yaml --pipeline shop
  %(prog)s --source kafka://localhost:9092/shop --sink 's3://bucket/shop?format=parquet' \
      --state postgresql://user@host/db --pipeline shop"""

EXITS = {
    OK: "every record is accounted for",
    FAILED: "it failed, a signal stopped it, or something could not be read now; run it again to go on",
    DEAD_LETTERS: "with --fail_on_dead_letters: records are dead letters",
    DEAD_BUDGET: "more records than --max_dead would have become dead letters",
    PAUSED: "an operator holds the pipeline or a source of it",
}
"""What exit codes of a run mean, where they say more than those of every command."""


def _tenants(text: str) -> str:
    """A name that is not empty."""
    if not text:
        raise argparse.ArgumentTypeError("expected a field of the messages, or @key")
    return text


def parser() -> Parser:
    """The parser of the command line."""
    parser = Parser(
        prog="python -m pipelines.ingest",
        usage="%(prog)s --source URI --sink URL --table NAME [--key FIELD] [options]",
        description="Read files, S3 objects or Kafka topics into tables of a SQL database, or into "
        "objects of S3; each record takes effect exactly once.",
        epilog=_EXAMPLES,
        exits=EXITS,
    )
    _add_source(parser)
    _add_formats(parser)
    add_json(parser)
    add_csv(parser)
    add_step(parser)
    add_changes(parser)
    add_target(parser)
    _add_retries(parser)
    _add_failures(parser)
    _add_run(parser)
    return parser


def _add_source(parser: Parser) -> None:
    group = parser.add_argument_group("what is read")
    add = group.add_argument
    add(
        "--source",
        action="append",
        metavar="URI",
        help="./events/*.jsonl, file:///…, s3://bucket/prefix/*.jsonl.gz, "
        "kafka://host:port/topic[?group=NAME]; may be repeated; required",
    )
    add(
        "--streaming",
        action="store_true",
        help="go on forever: watch for new objects and messages",
    )
    add(
        "--rest_seconds",
        type=seconds(at_least=0),
        metavar="S",
        help="a local file is complete once nobody has written to it for this many seconds; until "
        "then a last line without an end, or a file that ends early, waits "
        f"(default: {STREAMING_REST:g} with --streaming, otherwise {BOUNDED_REST:g})",
    )
    add(
        "--poll_interval",
        type=seconds(at_least=0.1),
        default=5.0,
        metavar="S",
        help="with --streaming, look for new files and objects every S seconds (default: 5)",
    )
    add(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave out files and objects: of this name ('*.tmp'), anywhere ('**/tmp/*'), or with "
        "this path or URI ('./events/tmp/**'); may be repeated",
    )
    add(
        "--missing_topic",
        choices=("wait", "fail"),
        help="with --streaming, whether to wait for a topic that a --source names and that does not "
        "exist, at the start or later, or to end the run (default: wait); without --streaming a "
        "missing topic always ends it",
    )
    add(
        "--fair",
        type=Described(_tenants, {"type": "string", "minLength": 1}),
        metavar="FIELD",
        help="of topics: let the tenants that this field of the messages names, or their keys (@key), take "
        "turns, so that many records of one do not delay those of others; of each split, up to 100,000 "
        "records or 64 MiB are read ahead (default: in the order of offsets)",
    )
    add_kafka_config(group)
    add_registry(group)
    add("--s3_endpoint_url", metavar="URL", help="an S3 service other than AWS")


def _add_formats(parser: Parser) -> None:
    add = parser.add_argument_group("how it is read").add_argument
    add(
        "--format",
        default="auto",
        choices=(*FORMATS, "text"),
        help="the format of objects, or of messages: jsonl, csv (each line a record) or text (the "
        "message is the field payload; topics only) (default: auto: of objects by name, or by content "
        "where the name does not tell it; of messages jsonl)",
    )
    add(
        "--compression",
        default="auto",
        choices=COMPRESSIONS,
        help="of objects (default: auto, by their first bytes)",
    )
    add(
        "--encoding",
        default="",
        metavar="NAME",
        help="of text files: e.g. utf-16, latin-1, cp1252 (default: utf-8, or what a byte order "
        "mark says)",
    )
    add(
        "--epoch",
        action="append",
        default=[],
        metavar="COLUMN=UNIT",
        help="numbers in this column are instants: seconds (s), ms, us or ns since 1970 in UTC; may "
        "be repeated (default: a number is not a date)",
    )
    add(
        "--map",
        metavar="FILE",
        help="a mapping, in YAML or JSON, that renames, casts, hides or computes fields "
        "(docs/mapping.md)",
    )
    add(
        "--schema",
        metavar="FILE",
        help="a JSON Schema of the records, as --map shapes them; it also creates a missing table. "
        "registry:SUBJECT makes one of the newest schema of a subject of --schema_registry",
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
        help="a JSON record that is nested deeper is a dead letter (default: 100)",
    )


def _add_retries(parser: Parser) -> None:
    add = parser.add_argument_group("retries").add_argument
    add(
        "--pipeline",
        default="",
        metavar="NAME",
        help="the pipeline's name: it takes only the retries of its own name and steps; required "
        "with --routes and no --table (default: the table, or the place for objects)",
    )
    add(
        "--max_attempts",
        type=positive_int,
        default=10,
        metavar="N",
        help="attempts at a record that may succeed later; then it is a dead letter (default: 10)",
    )
    add(
        "--backoff_base",
        type=seconds(at_least=0),
        default=1.0,
        metavar="S",
        help="longest wait after the first failed attempt, in seconds; it doubles each time "
        "(default: 1)",
    )
    add(
        "--backoff_cap",
        type=seconds(at_least=0),
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
        type=seconds(at_least=0),
        default=30.0,
        metavar="S",
        help="a run without --streaming ends when no retry is due within this many seconds; the "
        "rest stays scheduled (default: 30)",
    )
    add(
        "--job_lease",
        type=seconds(at_least=1),
        default=20.0,
        metavar="S",
        help="take over the retries of a process that has been silent for this long (default: 20)",
    )
    add(
        "--retain",
        action="append",
        default=[],
        metavar="STATE=TIME",
        help="delete completed, cancelled or discarded jobs, and with runs=TIME the entries of the "
        "pipeline's ended runs, after e.g. 12h or 30d; deletes=TIME forgets that keys of its tables are gone, "
        "once no failed record can be older; may be repeated (default: all jobs and deletes stay, and the "
        "last 1,000 runs)",
    )


def _add_failures(parser: Parser) -> None:
    group = parser.add_argument_group("dead letters and outages")
    group.add_argument(
        "--dead_letters",
        metavar="URI",
        help="a second place for dead letters: kafka://host:port/topic, s3://bucket/prefix or a "
        "folder; it gets them as they were read, also the fields that a mapping hides",
    )
    group.add_argument(
        "--fail_on_dead_letters",
        action="store_true",
        help="exit with 3 when records became dead letters, or while dead letters that an earlier "
        "run of this pipeline made of these sources are unresolved: neither replayed nor purged",
    )
    group.add_argument(
        "--max_dead",
        type=Described(
            str,
            {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": _COUNT}]},
        ),
        metavar="N|P%",
        help="end a run without --streaming, with exit code 4, before more records than this become "
        "dead letters, and pause a stream once more have: a number, or a percentage of the last 10,000 "
        "records of a source, which counts from the 1,000th on; of a stream since `sluice resume` "
        f"(default: {MAX_DEAD.replace('%', '%%')}, and no bound with --streaming)",
    )
    add_outage_budget(group)


def _add_run(parser: Parser) -> None:
    group = parser.add_argument_group("the run")
    add_runner(group)
    group.add_argument(
        "--workers",
        type=whole(at_least=0),
        default=1,
        metavar="N",
        help="how many processes of this machine read side by side (DirectRunner), at most 256, or 16 for "
        "each core if that is more; 0 for one on each core (default: 1)",
    )
    group.add_argument(
        "--max_in_flight",
        type=whole(at_least=LEAST_IN_FLIGHT),
        metavar="N",
        help="the most records of each reader (DirectRunner has one, Flink one for each subtask) that are "
        f"emitted and not committed; whatever is slow holds the source back; at least {LEAST_IN_FLIGHT} (default: about 40,000, in batches of 5,000)",
    )
    group.add_argument(
        "--max_rate",
        type=rate,
        metavar="RATE",
        help="the most records a second that the pipeline reads, all its processes together; `sluice rate` "
        "changes it while it runs (default: no limit)",
    )
    group.add_argument(
        "--max_bytes_rate",
        type=size,
        metavar="SIZE",
        help="the most bytes of records a second that it reads, e.g. 10MB (default: no limit)",
    )
    group.add_argument(
        "--detach",
        action="store_true",
        help="submit the job to its cluster, print its id and return (FlinkRunner)",
    )
    group.add_argument(
        "--progress",
        choices=("auto", "bar", "plain", "none"),
        default="auto",
        help="how to show on stderr how far the run is: a bar, or plain, a line every 10 s; auto is a "
        "bar on a terminal and none otherwise (default: auto)",
    )
    group.add_argument("--no_progress", action="store_true", help="the same as --progress none")
    group.add_argument(
        "--metrics_address",
        type=Described(address, {"type": ["integer", "string"]}),
        metavar="HOST:PORT",
        help="show metrics and health of this process: /metrics, /live, /ready; without a host, "
        "only on this machine (default: none)",
    )
    add_output(group)
