"""A run says once that nobody has tested its database, and only then."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipelines.conformance import experimental
from sinks.database.database import Database
from tests.io.sinks.portable_dialect import SCHEME


def test_a_database_that_nobody_tested_is_called_experimental(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    experimental.announce(Database(f"{SCHEME}:///{tmp_path}/a.db"))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "is experimental" in record.message
    assert "sluice doctor --conformance --sink URL" in record.message


def test_those_that_are_tested_are_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    experimental.announce(Database(f"sqlite:///{tmp_path}/a.db"))
    experimental.announce(Database("postgresql://nobody@127.0.0.1:1/x"))
    assert caplog.records == []
