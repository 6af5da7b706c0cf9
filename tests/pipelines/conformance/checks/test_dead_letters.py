"""The checks of dead letters see bytes and texts that do not come back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.checks import dead_letters
from tests.pipelines.conformance.grounds import Fault, changed, named, result_of

INTO = "INSERT INTO ingest_jobs"
FAULTS: dict[str, Fault] = {
    "payloads": changed(memoryview, lambda data: bytes(data).rstrip(b"\x00"), INTO),
    "texts": changed(str, lambda text: text.replace("Zürich", "Zurich"), INTO),
    "many": changed(memoryview, lambda data: data[:2], INTO),
    "found": changed(memoryview, lambda data: bytes(data).upper(), INTO),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_the_driver_changes_is_seen(name: str, tmp_path: Path) -> None:
    check = named(dead_letters.CHECKS, f"dead_letters.{name}")
    assert result_of(check, tmp_path, FAULTS[name]).status == "failed"
