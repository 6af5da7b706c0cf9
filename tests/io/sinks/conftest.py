"""The same tests against every way to write: SQLite, PostgreSQL and portable SQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.database import leases
from sinks.database.engine import dispose_engines
from tests.io.sinks import portable_dialect
from tests.io.sinks.tested_database import Database

POSTGRES = pytest.param("postgres", marks=pytest.mark.integration)


@pytest.fixture(params=["sqlite", POSTGRES, "generic"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgres":
        yield Database("postgres", request.getfixturevalue("postgres_url"))
    else:
        scheme = "sqlite" if request.param == "sqlite" else portable_dialect.SCHEME
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
