"""A database with nothing in it, and a console of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sinks.database.database import Database
from tests.pipelines.console.consoles import console


@pytest.fixture
def empty(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path}/console.db", statement_timeout=5)


@pytest.fixture
def client(empty: Database) -> Iterator[TestClient]:
    with console(empty) as client:
        yield client
