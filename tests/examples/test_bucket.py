"""The example of a bucket that is watched runs as printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.shell import section, shell
from tests.pages.shell import aws
from tests.pipelines.tables import query

pytestmark = pytest.mark.slow

READINGS = "SELECT sensor, substr(at, 12, 2), celsius FROM readings ORDER BY 2, 1"
DEAD = "SELECT stage, category FROM ingest_jobs WHERE state = 'discarded' ORDER BY id"


def test_objects_are_read_as_they_come_and_are_replaced(tmp_path: Path) -> None:
    with shell("bucket", tmp_path) as (player, page):
        player.play(section(page))
        assert query(player.database, READINGS) == [
            *(("s1", "09", 19.5), ("s2", "09", 21)),
            *(("s1", "10", 19.5), ("s2", "10", 21.3), ("s3", "10", 18)),
        ]
        assert query(player.database, DEAD) == [("validate", "schema"), ("parse", "malformed")]


def test_a_bucket_of_s3_is_watched_likewise(
    tmp_path: Path, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    with shell("bucket", tmp_path, programs={"aws": aws}) as (player, page):
        player.play(section(page, "With S3"))
        assert query(player.database, READINGS) == [
            *(("s1", "10", 19.5), ("s2", "10", 21.3), ("s3", "10", 18)),
        ]
        assert query(player.database, DEAD) == [("parse", "malformed")]
