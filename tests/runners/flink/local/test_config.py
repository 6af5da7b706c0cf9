"""The settings of a local Flink cluster, as far as they can be checked without one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runners.flink.local import fork_client
from runners.flink.local.classes import Archives
from runners.flink.local.config import (
    Layout,
    job_manager,
    job_server,
    settings,
    task_manager,
    write,
)
from runners.flink.local.parts import Parts


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The ``python`` of workers; the name of its folder contains a space."""
    folder = tmp_path / "a cluster"
    boot = tmp_path / "boot"
    boot.write_text('#!/bin/sh\ncommand -v python\necho "$1"\necho $(($$ - SLUICE_BOOT))\n')
    boot.chmod(0o755)
    write(Layout(folder, 1, 2, 3, slots=1), Parts("java", folder, folder, boot))
    return folder / "bin" / "python"


def test_the_cluster_loads_the_classes_of_beam_once_behind_those_of_flink(tmp_path: Path) -> None:
    layout = Layout(tmp_path, 1, 2, 3, slots=1)
    parts = Parts("java", tmp_path / "flink", tmp_path / "beam", tmp_path / "boot")
    for jar in ("beam/a.jar", "flink/c.jar", "flink/b.jar", "flink/none.txt"):
        (tmp_path / jar).parent.mkdir(exist_ok=True)
        (tmp_path / jar).write_text("")
    for command in (job_manager(layout, parts), task_manager(layout, parts, "taskmanager-1")):
        class_path = command[command.index("-cp") + 1]
        assert class_path == f"{tmp_path}/flink/b.jar:{tmp_path}/flink/c.jar:{tmp_path}/beam/a.jar"
    assert "classloader.resolve-order: parent-first\n" in settings(layout)


def test_each_virtual_machine_has_the_archive_of_its_kind(tmp_path: Path) -> None:
    layout = Layout(tmp_path, 1, 2, 3, slots=1)
    parts = Parts("java", tmp_path, tmp_path, tmp_path / "boot", Archives(tmp_path, written=True))
    commands = {
        "jobmanager": job_manager(layout, parts),
        "taskmanager": task_manager(layout, parts, "taskmanager-2"),
        "jobserver": job_server(layout, parts),
    }
    for kind, command in commands.items():
        assert f"-XX:ArchiveClassesAtExit={tmp_path}/{kind}.jsa" in command
        assert not any(
            "Archive" in each for each in job_server(layout, replace(parts, classes=None))
        )


def printed(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_workers_run_where_this_program_runs(python: Path) -> None:
    assert printed(python, "-c", "import sys; print(sys.prefix)").strip() == sys.prefix
    python_on_path, option, offset = printed(python.parents[1] / "worker.sh").splitlines()
    assert python_on_path == str(python)
    assert option.startswith(f"--semi_persist_dir={python.parents[1] / 'tmp' / 'worker-'}")
    assert offset == "0", "a worker knows the process that it has to end with"


def test_the_folder_of_a_worker_that_has_ended_goes_with_the_next_one(python: Path) -> None:
    folder = python.parents[1] / "tmp"
    ended = subprocess.Popen(["true"])
    ended.wait()
    for pid in (ended.pid, os.getpid()):
        (folder / f"worker-{pid}-abc").mkdir()
        (folder / f"worker-{pid}-abc" / "staged.whl").write_text("")
    printed(python.parents[1] / "worker.sh")
    assert not (folder / f"worker-{ended.pid}-abc").exists()
    assert (folder / f"worker-{os.getpid()}-abc" / "staged.whl").exists()


def test_what_boot_asks_pip_is_answered_without_it(python: Path) -> None:
    assert printed(python, "-m", "pip", "freeze", "--all") == ""
    assert printed(python, "-m", "pip", "show", "apache-beam") == ""
    assert printed(python, "-m", "pip", "--version").startswith("pip ")


def test_a_worker_is_asked_of_the_fork_server_unless_something_was_installed(
    python: Path, tmp_path: Path
) -> None:
    python.write_text(python.read_text().replace(sys.executable, "/bin/echo"))

    def says(*arguments: str) -> str:
        return subprocess.run(
            [python, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    worker = "-m apache_beam.runners.worker.sdk_worker_main"
    client = f"-I -S {fork_client.__file__} {python.parents[1] / 'tmp'} /bin/echo"
    assert says(*worker.split()) == f"{client} {worker}\n"
    assert says("-m", "pip", "show", "six") == "-m pip show six\n"
    assert says(*worker.split()) == f"{client} {worker}\n"
    assert says("-m", "pip", "install", "six") == "-m pip install six\n"
    assert says(*worker.split()) == f"{worker}\n"
