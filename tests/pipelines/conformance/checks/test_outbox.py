"""The checks of the outbox see changes that leave no entry."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.checks import outbox
from tests.pipelines.conformance.grounds import instead, named, result_of


@pytest.mark.parametrize("name", ["outbox.changes", "outbox.published", "outbox.parts"])
def test_an_outbox_that_is_gone_is_seen(name: str, tmp_path: Path) -> None:
    check = named(outbox.CHECKS, name)
    assert (
        result_of(
            check,
            tmp_path,
            instead("INSERT INTO ingest_outbox", "INSERT OR ROLLBACK INTO no_outbox"),
        ).status
        == "failed"
    )
