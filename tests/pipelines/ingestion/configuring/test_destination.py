"""Options that say where records go have to fit each other."""

from __future__ import annotations

import pytest

from pipelines.ingestion.configuring import destination
from pipelines.ingestion.flags import parser
from transforms.errors import ConfigError

DATABASE = ["--source", "./a.jsonl", "--sink", "sqlite:///a.db"]
BUCKET = ["--source", "./a.jsonl", "--sink", "s3://bucket/prefix?format=parquet"]
STATE = ["--state", "postgresql://h/d"]
ROUTES = ["--routes", "r.yaml"]


def check(*argv: str) -> None:
    destination.check(parser().parse_args(argv), parser().parse_args([]))


@pytest.mark.parametrize(
    "argv",
    [
        [*DATABASE, "--table", "t", "--key", "id"],
        [*DATABASE, "--table", "t", "--key", "id", "--schema", "s.json", *ROUTES],
        [*DATABASE, *ROUTES, "--pipeline", "shop"],
        [*DATABASE, *ROUTES, "--pipeline", "shop", "--outbox", "--create", "never"],
        [*BUCKET, *STATE],
        [*BUCKET, *STATE, "--pipeline", "shop"],
        [*BUCKET, *STATE, "--table", "orders", "--schema", "s.json"],
        [*BUCKET, *STATE, *ROUTES, "--pipeline", "shop"],
    ],
)
def test_what_fits_is_taken(argv: list[str]) -> None:
    check(*argv)


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ([], "missing --source, --sink, --table"),
        (DATABASE, "missing --table"),
        (["--sink", "sqlite:///a.db", *ROUTES], "missing --source"),
        ([*DATABASE, *ROUTES], "--routes without --table: missing --pipeline NAME"),
        ([*DATABASE, *ROUTES, "--pipeline", "p", "--key", "id"], "--key: with --routes"),
        (
            [*DATABASE, *ROUTES, "--pipeline", "p", "--schema", "s.json", "--on_conflict=update"],
            "--on_conflict, --schema: with --routes",
        ),
        ([*DATABASE, "--table", "t", *STATE], "--state is for a --sink of objects"),
        (BUCKET, "--sink of objects: missing --state URL"),
        ([*BUCKET, *STATE, *ROUTES], "--routes without --table: missing --pipeline NAME"),
        ([*BUCKET, *STATE, "--table", "t", "--key", "id"], "--key: objects are only added to"),
        (
            [*BUCKET, *STATE, "--table", "t", "--outbox", "--on_conflict", "update"],
            "--on_conflict, --outbox: objects are only added to",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_that_names_the_option(argv: list[str], line: str) -> None:
    with pytest.raises(ConfigError, match=f"^{line}"):
        check(*argv)


def test_the_state_is_a_database() -> None:
    with pytest.raises(ConfigError, match="--state: s3:// holds objects only"):
        check(*BUCKET, "--state", "s3://bucket/state")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([*DATABASE, "--table", "t", "--create", "never"], "--create never forbids it"),
        ([*DATABASE, "--table", "t", "--unknown_fields", "ignore"], "--unknown_fields ignore none"),
        ([*BUCKET, *STATE], "--evolve: objects are only added to, never changed"),
    ],
)
def test_a_table_that_changes_with_its_records_may_be_changed(argv: list[str], said: str) -> None:
    check(*DATABASE, "--table", "t", "--evolve", "add")
    with pytest.raises(ConfigError, match=said):
        check(*argv, "--evolve", "add")
