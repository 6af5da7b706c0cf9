from __future__ import annotations

from pathlib import Path

import pytest

from tests.io.sinks.objects.lake import Lake
from tests.io.sinks.tested_database import Database


@pytest.fixture
def lake(database: Database, tmp_path: Path) -> Lake:
    """With each kind of database as its state."""
    return Lake(database, tmp_path / "lake")


@pytest.fixture
def local_lake(sqlite_database: Database, tmp_path: Path) -> Lake:
    """With SQLite as its state, where the database makes no difference."""
    return Lake(sqlite_database, tmp_path / "lake")
