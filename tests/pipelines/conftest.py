"""What the tests of whole paths share: an empty database of each kind, and a schema for events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.events import SCHEMA
from sinks.database import leases
from sinks.database.engine import dispose_engines


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ingest.db"
    else:
        yield str(request.getfixturevalue("postgres_url"))
    leases.release_all()
    dispose_engines()


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    """The file of the JSON Schema that ``examples.events`` keep to."""
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    return path
