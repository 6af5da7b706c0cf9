"""The same tests against every way to write: SQLite, PostgreSQL and portable SQL.

With ``DATABASES=mariadb`` or ``DATABASES=duckdb`` in the environment, against that one alone (``make test-mariadb``,
``make test-duckdb``): they take ten times as long as the others to create the tables for each test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sinks.database import leases
from sinks.database.engine import dispose_engines
from tests.io.sinks import portable_dialect
from tests.io.sinks.tested_database import Database

POSTGRES = pytest.param("postgres", marks=pytest.mark.integration)
MARIADB = pytest.param("mariadb", marks=pytest.mark.integration)
ALONE: dict[str, list[Any]] = {"mariadb": [MARIADB], "duckdb": ["duckdb"]}
KINDS = ALONE.get(os.environ.get("DATABASES", ""), ["sqlite", POSTGRES, "generic"])


@pytest.fixture
def tables_are_there() -> bool:
    """Most tests here are of what is in the tables; those of ``database/`` and ``doctor/`` create them."""
    return True


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param in ("postgres", "mariadb"):
        yield Database(request.param, request.getfixturevalue(f"{request.param}_url"))
    else:
        scheme = portable_dialect.SCHEME if request.param == "generic" else request.param
        yield Database(request.param, f"{scheme}:///{tmp_path}/test.db")
    leases.release_all()
    dispose_engines()


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    yield Database("sqlite", f"sqlite:///{tmp_path}/test.db")
    leases.release_all()
    dispose_engines()


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    yield Database("postgres", postgres_url)
    leases.release_all()
    dispose_engines()


@pytest.fixture
def duckdb_database(tmp_path: Path) -> Iterator[Database]:
    yield Database("duckdb", f"duckdb:///{tmp_path}/test.duckdb")
    leases.release_all()
    dispose_engines()


@pytest.fixture
def mariadb(mariadb_url: str) -> Iterator[Database]:
    yield Database("mariadb", mariadb_url)
    leases.release_all()
    dispose_engines()
