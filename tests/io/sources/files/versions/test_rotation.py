"""The names that a rotated file may have had before."""

from __future__ import annotations

import pytest

from sources.files.versions.rotation import earlier_names


@pytest.mark.parametrize(
    ("name", "earlier"),
    [
        ("app.log", []),
        ("app.log.1", ["app.log"]),
        ("app.log.12", ["app.log.11", "app.log"]),
        ("app.log.2.gz", ["app.log.2", "app.log.1", "app.log"]),
        ("app.log-20261125", ["app.log"]),
        ("app.log.2026-11-25.gz", ["app.log.2026-11-25", "app.log"]),
        ("app.2.log", ["app.1.log", "app.log"]),
        ("events.jsonl.gz", ["events.jsonl"]),
    ],
)
def test_names(name: str, earlier: list[str]) -> None:
    assert earlier_names(f"file:///log/{name}") == [f"file:///log/{each}" for each in earlier]
