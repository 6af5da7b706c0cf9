"""docs/services.md: its files go where it says, and cron and Airflow run what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import pytest

from pipelines import command
from tests.pages.page import page, shown
from tests.pages.shell import Shell, shell_in
from tests.pipelines.tables import count_rows
from tests.test_docs import ROOT

pytestmark = pytest.mark.slow

PIPELINE = """\
source: {folder}/orders.jsonl
sink: sqlite:///{folder}/orders.db
table: orders
key: [id]
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell on a machine of its own, whose ``/etc``, ``/opt`` and ``/var`` are in a folder."""
    (tmp_path / "etc" / "sluice").mkdir(parents=True)
    (tmp_path / "var" / "log" / "sluice").mkdir(parents=True)
    (tmp_path / "orders.jsonl").write_text('{"id": 1}\n')
    (tmp_path / "etc" / "sluice" / "orders.yaml").write_text(PIPELINE.format(folder=tmp_path))
    here = {
        "/opt/sluice/bin/": "",
        "/etc/": f"{tmp_path}/etc/",
        "/var/": f"{tmp_path}/var/",
        "/tmp/": f"{tmp_path}/",
    }
    with shell_in(tmp_path, here) as player:
        yield player


def test_the_files_are_installed(tmp_path: Path) -> None:
    (tmp_path / "etc" / "systemd" / "system").mkdir(parents=True)
    (tmp_path / "orders.yaml").write_text(PIPELINE)
    (tmp_path / "orders.env").write_text("DB_PASSWORD=secret\n")
    root, services = tmp_path, "docs/services.md"
    with page(services, tmp_path, root=str(root), checkout=str(ROOT)) as opened:
        for _ in range(3):
            opened.runs("install")
        opened.runs("cp")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (root / "etc/sluice").iterdir()}
    assert modes == {"orders.yaml": 0o644, "orders.env": 0o600}
    if shutil.which("systemctl") is not None:
        assert "systemctl enable --now sluice@orders " in (ROOT / services).read_text()
        enable = ["systemctl", f"--root={root}", "enable", "sluice@orders"]
        subprocess.run(enable, check=True, capture_output=True)
        wanted = root / "etc/systemd/system/multi-user.target.wants/sluice@orders.service"
        assert wanted.is_symlink()


@pytest.mark.skipif(shutil.which("flock") is None, reason="FLOCK IS MISSING")
def test_cron_runs_the_pipeline(shell: Shell) -> None:
    comment, line = shown("docs/services.md", "# /etc/cron.d").splitlines()
    *times, user, program = line.split(maxsplit=6)
    assert (len(times), user) == (5, "sluice")
    code, _ = shell.run(program)
    assert code == 0
    assert count_rows(f"sqlite:///{shell.folder}/orders.db", "orders") == 1
    assert "sluice" in comment
    assert (shell.folder / "var/log/sluice/orders.log").read_text()


def test_airflow_is_told_to_run_the_pipeline(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow is not installed here: its classes note what they are told."""
    tasks: list[dict[str, Any]] = []

    class Dag:
        def __init__(self, name: str, **options: Any) -> None:
            assert (name, options["max_active_runs"]) == ("orders", 1)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *raised: object) -> None:
            pass

    def bash_operator(**options: Any) -> None:
        tasks.append(options)

    for name, value in {"sdk": Dag, "providers.standard.operators.bash": bash_operator}.items():
        module = ModuleType(f"airflow.{name}")
        module.DAG = module.BashOperator = value  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    program = shown("docs/services.md", "from datetime")
    exec(compile(program, "docs/services.md", "exec"), {})
    (task,) = tasks
    assert shell.run(task["bash_command"])[0] == os.EX_OK
    assert count_rows(f"sqlite:///{shell.folder}/orders.db", "orders") == 1
    assert (shell.folder / "orders.json").exists()
    assert task["skip_on_exit_code"] == command.PAUSED
