"""``sluice run DIR``: a process for each pipeline, and one output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines import command
from pipelines.pipeline_file.folder import MOST, pipelines_of, worst
from pipelines.pipeline_file.run import main
from tests.pipelines.tables import query
from transforms.errors import ConfigError


def pipeline(folder: Path, name: str, more: str = "") -> None:
    (folder / f"{name}.yaml").write_text(
        f"source: ./{name}.csv\nsink: sqlite:///{name}.db\ntable: {name}\nprogress: none\n{more}"
    )
    (folder / f"{name}.csv").write_text("id,name\n1,a\n")


def test_only_pipeline_files_are_run(tmp_path: Path) -> None:
    pipeline(tmp_path, "a", "pipeline: first\n")
    pipeline(tmp_path, "b.c")
    (tmp_path / "a.prod.yaml").write_text("source: x\ntable: other\n")
    (tmp_path / "map.yaml").write_text("- drop: [a]\n")
    (tmp_path / "routes.yaml").write_text("routes: [{table: t}]\n")
    (tmp_path / "schema.json").write_text("{}")
    assert pipelines_of(str(tmp_path)) == {
        "first": f"{tmp_path}/a.yaml",
        "b.c": f"{tmp_path}/b.c.yaml",
    }
    settings = ["pipeline=p"]
    with pytest.raises(ConfigError, match=r"a\.yaml and .*b\.c\.yaml are both pipelines called p"):
        pipelines_of(str(tmp_path), None, settings)


def test_folders_that_cannot_be_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no pipeline file"):
        pipelines_of(str(tmp_path))
    pipeline(tmp_path, "a")
    with pytest.raises(ConfigError, match="--summary_json is of one process"):
        main([str(tmp_path), "--summary_json", "x.json"])
    for number in range(MOST):
        pipeline(tmp_path, f"p{number}")
    with pytest.raises(ConfigError, match=f"has {MOST + 1} pipeline files, and at most {MOST}"):
        pipelines_of(str(tmp_path))


def test_the_worst_exit_code_is_that_of_the_folder() -> None:
    assert worst([0, 0]) == command.OK
    assert worst([0, 3, 5]) == command.DEAD_LETTERS
    assert worst([2, 1, 4]) == command.USAGE
    assert worst([0, -signal.SIGKILL]) == command.FAILED


@pytest.mark.slow
def test_every_pipeline_runs_and_its_lines_bear_its_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline(tmp_path, "a")
    pipeline(tmp_path, "bbb", "create: never\n")
    assert command.run("run", main, [str(tmp_path)]) == command.USAGE
    captured = capfd.readouterr()
    assert query(f"sqlite:///{tmp_path}/a.db", "SELECT count(*) FROM a")[0][0] == 1
    lines = captured.out.splitlines()
    assert any(line.startswith("a   | 1  inserted") for line in lines)
    assert any(line.startswith("bbb | run: ") for line in captured.err.splitlines())


@pytest.mark.slow
def test_a_signal_ends_all_of_them(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pipeline(tmp_path, name, "streaming: true\nrest_seconds: 0\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.pipeline_file.run", str(tmp_path)],
        cwd=Path(__file__).resolve().parents[3],
        env={**os.environ, "PYTHONPATH": "io"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for_rows(tmp_path, ("a", "b"))
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert {line.partition(" ")[0] for line in output.splitlines()} == {"a", "b"}


def wait_for_rows(folder: Path, names: tuple[str, ...]) -> None:
    deadline = time.monotonic() + 120
    for name in names:
        while not (folder / f"{name}.db").exists() or not rows(folder, name):
            assert time.monotonic() < deadline, f"nothing came into {name}"
            time.sleep(0.1)


def rows(folder: Path, name: str) -> int:
    try:
        return int(query(f"sqlite:///{folder}/{name}.db", f"SELECT count(*) FROM {name}")[0][0])
    except Exception:  # noqa: BLE001 - the table is not there yet
        return 0
