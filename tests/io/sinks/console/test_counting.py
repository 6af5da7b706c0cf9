"""Counts are exact up to a bound; above it nothing is read to the end."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sinks.console import counting
from sinks.console.counting import Count, about, counted
from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database

things = sa.table("things", sa.column("id", sa.BigInteger))


def filled(database: Database, number: int) -> None:
    database.run(
        "CREATE TABLE things (id bigint PRIMARY KEY)",
        "INSERT INTO things WITH RECURSIVE n(i) AS "
        f"(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) SELECT i FROM n",
    )


def count(database: Database, most: int) -> Count:
    with transaction(database.database, "test", write=False) as connection:
        return counted(connection, sa.select(things.c.id).where(things.c.id <= most))


def test_few_are_counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST", 100)
    filled(database, 150)
    assert count(database, 0) == Count(0, exact=True)
    assert count(database, 100) == Count(100, exact=True)


def test_of_many_it_says_that_it_does_not_know(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST", 100)
    filled(database, 150)
    many = count(database, 150)
    assert not many.exact
    assert many.number >= 100


def test_the_planner_estimates_with_the_values_that_are_asked_for(postgres: Database) -> None:
    filled(postgres, 60_000)
    postgres.run("ANALYZE things")
    assert 55_000 < count(postgres, 60_000).number < 65_000
    assert 25_000 < count(postgres, 30_000).number < 35_000
    assert not count(postgres, 30_000).exact


def test_where_nothing_estimates_the_bound_is_all_that_is_said(sqlite_database: Database) -> None:
    filled(sqlite_database, 10_001)
    assert count(sqlite_database, 10_001) == Count(10_000, exact=False)
    with transaction(sqlite_database.database, "test", write=False) as connection:
        assert about(connection, sa.select(things.c.id)) == 0
