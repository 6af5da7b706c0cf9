"""What the processes of a local Flink cluster are told, as far as it can be seen without one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runners.flink.local import config as flink_config
from runners.flink.local.config import Layout
from runners.flink.local.parts import Parts


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The ``python`` of workers; its folder has a blank in its name."""
    folder = tmp_path / "a cluster"
    boot = tmp_path / "boot"
    boot.write_text('#!/bin/sh\ncommand -v python\necho "$1"\necho $(($$ - SLUICE_BOOT))\n')
    boot.chmod(0o755)
    flink_config.write(Layout(folder, 1, 2, 3, slots=1), Parts("java", folder, folder, boot))
    return folder / "bin" / "python"


def said(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_workers_run_where_this_program_runs(python: Path) -> None:
    assert said(python, "-c", "import sys; print(sys.prefix)").strip() == sys.prefix
    found, option, other = said(python.parents[1] / "worker.sh").splitlines()
    assert found == str(python)
    assert option.startswith(f"--semi_persist_dir={python.parents[1] / 'tmp' / 'worker-'}")
    assert other == "0", "a worker is told which process it is to end with"


def test_what_boot_asks_pip_is_answered_without_it(python: Path) -> None:
    assert said(python, "-m", "pip", "freeze", "--all") == ""
    assert said(python, "-m", "pip", "show", "apache-beam") == ""
    assert said(python, "-m", "pip", "--version").startswith("pip ")
