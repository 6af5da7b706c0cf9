"""A local cluster's command line and processes, as far as they need no cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runners.flink.endpoints import Endpoints, endpoints, write_endpoints
from runners.flink.local import classes, parts
from runners.flink.local.classes import Archives
from runners.flink.local.cluster import TASK_MANAGER, FlinkCluster, fetched, main
from runners.flink.local.parts import Parts
from runners.runner import RunnerUnavailable


def test_where_no_cluster_was_started_status_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--folder", str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"no Flink cluster in {tmp_path}\n"
    with pytest.raises(RunnerUnavailable, match=f"no Flink cluster in {tmp_path}"):
        _ = FlinkCluster(tmp_path).endpoints


def test_a_cluster_that_does_not_run_is_not_reported_as_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_endpoints(tmp_path, Endpoints("localhost:1", "localhost:2", "/w.sh"))
    assert main(["status", "--folder", str(tmp_path)]) == 1
    assert "processes     none\n" in capsys.readouterr().out


def test_down_forgets_the_cluster_and_makes_no_folder(tmp_path: Path) -> None:
    write_endpoints(tmp_path, Endpoints("localhost:1", "localhost:2", "/w.sh"))
    assert main(["down", "--folder", str(tmp_path)]) == 0
    assert endpoints(tmp_path) is None
    assert main(["down", "--folder", str(tmp_path / "none")]) == 0
    assert not (tmp_path / "none").exists()


def test_down_removes_what_only_running_processes_need(tmp_path: Path) -> None:
    for name in ("tmp", "artifacts", "checkpoints", "savepoints", "logs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    FlinkCluster(tmp_path).down()
    left = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert left == ["checkpoints", "logs", "savepoints"]


def test_up_without_java_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["up", "--folder", str(tmp_path / "cluster")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("flink.local: no local Flink cluster: java not found")


@pytest.mark.parametrize(("version", "archived"), [("11.0.9", False), ("17.0.1", True)])
def test_classes_are_archived_where_java_can(
    version: str, archived: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    java.chmod(0o755)
    of_cluster = Parts(str(java), tmp_path, tmp_path, tmp_path / "boot")
    monkeypatch.setattr(parts, "fetched", lambda: of_cluster)
    monkeypatch.setattr(classes, "archives", lambda *_: Archives(tmp_path))
    assert fetched().classes == (Archives(tmp_path) if archived else None)


def test_task_managers_are_told_from_other_processes(tmp_path: Path) -> None:
    names = ("jobmanager", f"{TASK_MANAGER}2", "jobserver", f"{TASK_MANAGER}1")
    recorded = {name: [2**22 + 1, "ended"] for name in names}
    (tmp_path / "processes.json").write_text(json.dumps(recorded))
    assert FlinkCluster(tmp_path).task_managers() == [f"{TASK_MANAGER}2", f"{TASK_MANAGER}1"]


@pytest.mark.integration
def test_what_runs_is_not_started_again(flink: FlinkCluster) -> None:
    def pids() -> list[int | None]:
        return [flink.processes.pid(name) for name in flink.processes.names()]

    before, used = pids(), flink.endpoints
    assert flink.up() == used
    assert pids() == before
