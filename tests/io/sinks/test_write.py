"""A write and the ledger that stands before it belong together."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from sinks.ledger.ledger import SqlLedger
from sinks.sql import SqlConfig, WriteToSql
from tests.fakes import ListSource
from transforms.errors import ConfigError
from transforms.parse.parse import Parse
from transforms.read.read import ReadSplits


def built(ledger: SqlConfig, *sinks: SqlConfig) -> None:
    parsed = (
        beam.Pipeline(runner=FnApiRunner())
        | ReadSplits([ListSource("one")], SqlLedger(ledger))
        | Parse()
    )
    for sink in sinks:
        _ = parsed | f"Write {sink.table}" >> WriteToSql(sink)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/a.db"


def test_the_ledger_of_another_table_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"table one.*table two"):
        built(SqlConfig.of(url, "one"), SqlConfig.of(url, "two"))


def test_the_ledger_of_another_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="ledger"):
        built(SqlConfig.of(url, "one"), SqlConfig.of(f"{url}x", "one"))


def test_two_tables_behind_the_ledger_of_one_are_refused(url: str) -> None:
    one, two = SqlConfig.of(url, "one"), SqlConfig.of(url, "two")
    with pytest.raises(ConfigError):
        built(one, one, two)


def test_how_rows_are_written_is_not_the_ledgers_affair(url: str) -> None:
    built(SqlConfig.of(url, "one"), SqlConfig.of(url, "one", key=["id"], on_conflict="update"))


def test_a_password_does_not_make_another_database() -> None:
    url = "postgresql://ann:secret@localhost/db"
    built(SqlConfig.of(url, "one"), SqlConfig.of(url, '"one"'))
