"""The flags that say where records are written: a table, several by routes, or objects."""

from __future__ import annotations

from pipelines.command import Parser
from pipelines.flags import Described, database_url, seconds


def add_target(parser: Parser) -> None:
    """Add the flags of tables and objects."""
    add = parser.add_argument_group("where it is written").add_argument
    add(
        "--sink",
        metavar="URL",
        help="SQLAlchemy URL: sqlite:///ingest.db, postgresql://user@host/db, mysql://user@host/db; "
        "${env:NAME} and ${file:/path} in it are read where they are used; or a place for objects: "
        "s3://bucket/prefix?format=parquet, file:///folder?format=jsonl.gz, with &partition=day,FIELD "
        "for folders (docs/objects.md); required",
    )
    add(
        "--state",
        type=database_url,
        metavar="URL",
        help="with a --sink of objects, the database of their ledger, jobs, counts and dead letters, as "
        "a SQLAlchemy URL; required with it",
    )
    add(
        "--table",
        metavar="NAME",
        help="the target table, with its schema if needed; required without --routes, with which it "
        "gets the records that match none; with a --sink of objects the folder of the dataset below "
        "the prefix (default: the prefix itself)",
    )
    add(
        "--routes",
        metavar="FILE",
        help="which records go to which tables, in YAML or JSON (docs/routes.md); what matches no "
        "route goes to --table, whose are then --key, --on_conflict, --unknown_fields and --schema, "
        "or is a dead letter (default: all records go to --table)",
    )
    add(
        "--create",
        default="missing",
        choices=("missing", "never"),
        help="whether a missing table is created, or refused (default: missing)",
    )
    add(
        "--key",
        default="",
        metavar="FIELD[,FIELD]",
        help="the key; @key.FIELD is a field of the message's key, @key the whole of it, NAME=@key the "
        "same under another name (default: the record's origin)",
    )
    add(
        "--on_conflict",
        type=Described(str, {"type": "string", "pattern": "^(ignore|update|newest:.+)$"}),
        default="ignore",
        metavar="ignore|update|newest:FIELD",
        help="what to do with a record whose key exists already; newest:@position compares the position "
        "of change events, otherwise offsets (default: ignore)",
    )
    add(
        "--unknown_fields",
        default="reject",
        choices=("reject", "ignore", "payload"),
        help="a field without a column rejects the record, is ignored, or goes to `payload` "
        "(default: reject)",
    )
    add(
        "--evolve",
        default="freeze",
        choices=("freeze", "add", "widen"),
        help="what of the table changes with its records (docs/schema-evolution.md): nothing; a field "
        "without a column adds one; or that, and types that are too narrow take more, such as bigint "
        "in place of integer (default: freeze)",
    )
    add(
        "--schema_wait",
        type=seconds(0),
        metavar="SECONDS",
        help="how long a record waits, without using an attempt, for a table that can take it; then it "
        "is a dead letter (default: 0 with --evolve freeze, otherwise 86400)",
    )
    add(
        "--outbox",
        action="store_true",
        help="also keep every change to the table in ingest_outbox, for pipelines.outbox",
    )
