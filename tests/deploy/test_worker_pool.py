"""What deploy/ relies on and no schema shows: a real cluster with a worker pool beside it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from examples.events import events, write
from pipelines import command
from pipelines.ingest import main as ingest_main
from runners.flink.local.cluster import FlinkCluster
from runners.flink.local.parts import fetched
from tests.deploy.deployment_files import DEPLOY, by_compose
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def pool(flink: FlinkCluster, tmp_path: Path) -> Iterator[str]:
    """The address of a pool that runs as it does in the image: its variables, its start program."""
    with closing(socket.create_server(("localhost", 0))) as free:
        port = free.getsockname()[1]
    text = (DEPLOY / "Dockerfile").read_text().split("\nENV ", 1)[1].split("\nWORKDIR", 1)[0]
    settings = dict(
        each.split("=", 1)
        for line in text.splitlines()
        if not line.startswith("#")
        for each in line.rstrip("\\").split()
    )
    assert settings["RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT"] == "1"
    folder = tmp_path / "pool"
    folder.mkdir()
    boot = folder / "boot"
    shutil.copy(DEPLOY / "boot.sh", boot)
    boot.with_name("boot-worker").symlink_to(fetched().boot)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    started = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main"]
    started += [f"--service_port={port}", f"--container_executable={boot}"]
    with (tmp_path / "pool.log").open("wb") as log:
        process = subprocess.Popen(
            started,
            cwd=folder,
            env={**os.environ, **settings, "PATH": path, "TMPDIR": str(folder)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(
            lambda: listens(port), "a pool that listens", alive=lambda: process.poll() is None
        )
        yield f"localhost:{port}"
    finally:
        root = psutil.Process(process.pid)
        processes = [root, *root.children(recursive=True)]
        for member in processes:
            member.terminate()
        for member in psutil.wait_procs(processes, timeout=20)[1]:
            member.kill()
        process.wait()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("localhost", port), 1.0).close()
    except OSError:
        return False
    return True


def test_command_of_deploy_runs_on_a_pool_with_nothing_staged(
    flink: FlinkCluster, pool: str, postgres_url: str, tmp_path: Path
) -> None:
    write(tmp_path / "in", events(2_000), 2)
    options = (
        "--environment_type",
        "--experiments",
        "--sdk_worker_parallelism",
        "--max_parallelism",
    )
    argv = [each for each in by_compose().submit if each.split("=", 1)[0] in options]
    assert len(argv) == len(options)
    out = tmp_path / "summary.json"
    endpoints = flink.endpoints
    argv += ["--runner=FlinkRunner", f"--flink_master={endpoints.flink_master}", "--parallelism=2"]
    argv += [f"--job_endpoint={endpoints.job_endpoint}", f"--environment_config={pool}"]
    argv += [f"--source={tmp_path}/in/*.jsonl", f"--sink={postgres_url}", "--table=events"]
    argv += ["--key=event_id", "--no_progress", f"--summary_json={out}"]
    assert command.run("ingest", ingest_main, argv) == 0
    assert json.loads(out.read_text())["inserted"] == 2_000
    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM events")).scalar_one() == 2_000
    engine.dispose()
    # The workers ran below the pool, each in a folder of its own; boot leaves the options there.
    folders = list((tmp_path / "pool").glob("worker-*"))
    assert len(folders) == 2
    assert all((each / "pipeline_options.json").exists() for each in folders)
    assert not [each for each in folders if list(each.glob("staged/*"))]
