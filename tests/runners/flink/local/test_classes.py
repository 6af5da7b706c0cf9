"""Archives of classes: written once, and left out where there are none."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from runners.flink.local.classes import Archives, archives
from runners.runner import RunnerUnavailable


@pytest.fixture(autouse=True)
def _jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_JARS", str(tmp_path / "jars"))


def test_the_first_cluster_writes_them_and_the_next_ones_have_them() -> None:
    clusters: list[Path] = []

    def write(written: Archives, folder: Path) -> None:
        clusters.append(folder)
        (option,) = written.options("taskmanager")
        assert option == f"-XX:ArchiveClassesAtExit={written.file('taskmanager')}"
        written.file("taskmanager").write_text("classes")

    first = archives("flink-1", "17.0.1", write)
    again = archives("flink-1", "17.0.1", write)
    assert len(clusters) == 1
    assert not clusters[0].exists()
    assert first == again
    assert again.file("taskmanager").read_text() == "classes"
    assert again.options("taskmanager") == [
        f"-XX:SharedArchiveFile={again.file('taskmanager')}",
    ]
    assert again.options("jobmanager") == [], "Java complains of one that is not there"


def test_another_java_and_other_jars_have_their_own() -> None:
    others = {
        archives(of, version, lambda written, folder: None).folder
        for of in ("flink-1", "flink-2")
        for version in ("17.0.1", "17.0.2")
    }
    assert len(others) == 4


def test_a_cluster_that_does_not_start_for_it_is_no_obstacle(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(written: Archives, folder: Path) -> None:
        raise RunnerUnavailable("no port is free")

    with caplog.at_level(logging.WARNING):
        left = archives("flink-1", "17.0.1", fail)
    assert left.options("jobmanager") == []
    assert "start slowly: no port is free" in caplog.text
