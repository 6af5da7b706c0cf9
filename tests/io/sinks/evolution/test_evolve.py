from __future__ import annotations

import logging
from contextlib import closing

import psycopg2
import pytest

from sinks.evolution.evolve import Author, Changes, evolve
from sinks.evolution.refusals import Refusals
from sinks.evolution.survey import Wanted, as_type
from sinks.sql import SqlConfig
from sinks.table.schema import NewColumn
from sinks.writers import writer_of
from tests.io.sinks.tested_database import Database

AUTHOR = Author("a test", "", "run", {"a": "file:///a :0"})
TWO = [NewColumn("a", "integer"), NewColumn("b", "text")]


def prepared(database: Database, declared: str = "id integer PRIMARY KEY") -> SqlConfig:
    database.run(f"CREATE TABLE events ({declared})")
    return database.sink(key=["id"], evolve="widen").config


def change(config: SqlConfig, wanted: Wanted, refusals: Refusals | None = None) -> Changes:
    return evolve(config, writer_of, wanted, refusals or Refusals(), AUTHOR)


def test_what_is_there_is_left_as_it_is(database: Database) -> None:
    config = prepared(database)
    assert change(config, Wanted(TWO)).added == {"a": "integer", "b": "text"}
    again = change(config, Wanted([NewColumn("a", "text"), NewColumn("c", "text")]))
    assert (again.added, again.refused) == ({"c": "text"}, {})


def test_one_column_that_is_refused_does_not_hold_up_the_others(
    postgres: Database, caplog: pytest.LogCaptureFixture
) -> None:
    config = prepared(postgres)
    refusals = Refusals()
    wanted = Wanted([NewColumn("ctid", "text"), NewColumn("A", "text"), *TWO])
    changes = change(config, wanted, refusals)
    assert changes.added == {"A": "text", "b": "text"}
    assert changes.refused["a"] == "its name differs from column A only by capitals"
    assert "conflicts with a system column name" in changes.refused["ctid"]
    assert refusals.reason("ctid", 0.0)
    change(config, Wanted([NewColumn("ctid", "text")]), refusals)
    warnings = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert len([each for each in warnings if "ctid" in each.getMessage()]) == 1, "once"


def test_a_column_has_the_comment_of_its_schema(postgres: Database) -> None:
    config = prepared(postgres)
    change(config, Wanted([NewColumn("a", "text", comment="what it's for; 100 %")]))
    query = "SELECT col_description('events'::regclass, 2)"
    assert postgres.rows(query) == [("what it's for; 100 %",)]


def test_a_type_that_somebody_else_has_widened_is_wide_enough(postgres: Database) -> None:
    config = prepared(postgres, "id integer PRIMARY KEY, n bigint, m integer")
    changes = change(config, Wanted(widen={"n": [2**31], "m": [2**31], "gone": [1]}))
    assert (changes.widened, changes.refused) == ({"m": "bigint"}, {})


def test_a_table_that_is_held_is_left_after_two_seconds(postgres: Database) -> None:
    config = prepared(postgres, "id integer PRIMARY KEY, n integer")
    refusals = Refusals()
    with closing(psycopg2.connect(postgres.url)) as reader:
        reader.cursor().execute("LOCK TABLE events IN ACCESS SHARE MODE")
        changes = change(config, Wanted(TWO, {"n": [2**31]}), refusals)
        reader.rollback()
    assert not changes.statements
    assert set(changes.refused) == {"a", "b", as_type("n")}
    assert "lock timeout" in refusals.reason("a", 0.0)


def test_a_table_that_is_gone_is_refused(database: Database) -> None:
    config = prepared(database)
    database.run("DROP TABLE events")
    assert "does not exist any more" in change(config, Wanted(TWO)).refused["a"]
