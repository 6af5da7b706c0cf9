"""Play the first hour on a fresh clone, in a fresh environment, and print the minutes of each step.

The commands are those of README, of the tutorial and of docs/metrics.md, typed without a pause: what is measured is how
long the machine lets somebody wait. Services would need images, so the tutorial's database is SQLite, and the graph is that of
a Prometheus that is started as a program.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.first_hour.pages import SQLITE, Lesson, first_rows, replayed
from runners.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 180.0
"""How long a service may take until it answers."""

GRAPH = "sluice_records_total"


@dataclass(slots=True)
class Hour:
    """One reader, and a watch.

    Attributes:
        root: An empty folder, which gets the checkout, the environment and the reader's folders.
        installer: ``pip``, or ``uv``, which is called in place of it.
        steps: What was done, and how long it took, in seconds.
    """

    root: Path
    installer: str = "pip"
    steps: list[tuple[str, float]] = field(default_factory=list)

    @property
    def checkout(self) -> Path:
        """The fresh clone."""
        return self.root / "sluice"

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Measure a step."""
        began = time.monotonic()
        yield
        self.steps.append((title, time.monotonic() - began))
        print(f"{self.steps[-1][1]:7.1f} s  {title}", flush=True)

    def environment(self) -> dict[str, str]:
        """The reader's variables: nothing of this environment, and empty caches."""
        kept = ("HOME", "LANG", "SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "UV_INDEX_URL")
        folders = [self.root / "venv" / "bin", *map(Path, os.environ["PATH"].split(os.pathsep))]
        ours = Path(sys.executable).parent
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "PATH": os.pathsep.join(str(folder) for folder in folders if folder != ours),
            "PIP_CACHE_DIR": str(self.root / "cache"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_CACHE_DIR": str(self.root / "cache"),
            "VIRTUAL_ENV": str(self.root / "venv"),
        }

    def type(self, lesson: Lesson, folder: Path) -> None:
        """Run the commands of a lesson in ``folder``; each has to succeed."""
        folder.mkdir(exist_ok=True)
        for name, text in lesson.files.items():
            (folder / name).write_text(text)
        self.run("set -e\n" + "\n".join(lesson.commands), folder)

    def run(self, script: str, folder: Path) -> None:
        """Run a script; what it prints is shown only if it fails.

        Raises:
            SystemExit: It failed.
        """
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{script}\nended with {done.returncode}:\n{done.stdout}")

    @contextmanager
    def serving(self, command: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
        """A service of the reader's; it is ended afterwards."""
        with (
            (self.root / "services.log").open("a") as log,
            subprocess.Popen(
                shlex.split(command),
                cwd=folder,
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)


def play(hour: Hour) -> None:
    """All steps, in the order in which the pages lead to them."""
    project, lessons = hour.root / "project", hour.root / "tutorial"
    with hour.step("clone"):
        hour.run(f"git clone --quiet --no-hardlinks {shlex.quote(str(ROOT))} sluice", hour.root)
    installing, rows = first_rows(hour.checkout)
    with hour.step("install"):
        _install(hour, installing, project)
    with hour.step("first own row"):
        hour.type(rows, project)
    with hour.step("first replayed dead letter"):
        hour.type(replayed(hour.checkout), lessons)
    _check(lessons / "shop.db")
    with hour.step("first graph"):
        _graph(hour, lessons)
    with hour.step("first page of the console"):
        _console(hour, lessons)


def _install(hour: Hour, installing: Lesson, project: Path) -> None:
    hour.run(f"{shlex.quote(sys._base_executable)} -m venv venv", hour.root)  # type: ignore[attr-defined]
    (line,) = installing.commands
    hour.type(Lesson([line if hour.installer == "pip" else f"uv {line}"]), project)


def _check(database: Path) -> None:
    """The tutorial's record is in its table, or this has measured something else."""
    import sqlite3

    connection = sqlite3.connect(database)
    try:
        rows = connection.execute("SELECT id FROM customers ORDER BY id").fetchall()
        completed = connection.execute(
            "SELECT count(*) FROM ingest_jobs WHERE state = 'completed'"
        ).fetchone()
    finally:
        connection.close()
    if rows != [(1,), (3,), (4,)] or completed != (1,):
        raise SystemExit(f"the tutorial left other rows: {rows}, {completed}")


def _graph(hour: Hour, folder: Path) -> None:
    """An exporter, and a Prometheus on the files of ops/, until a line can be drawn."""
    exporter, prometheus, unused = free_ports(3)
    settings = hour.root / "prometheus"
    shutil.copytree(hour.checkout / "ops" / "prometheus", settings)
    text = (settings / "prometheus.yml").read_text()
    text = text.replace("127.0.0.1:9401", f"127.0.0.1:{exporter}")
    (settings / "prometheus.yml").write_text(text.replace("127.0.0.1:9400", f"127.0.0.1:{unused}"))
    address = f"http://127.0.0.1:{prometheus}"
    with (
        hour.serving(f"sluice exporter --sink {SQLITE} --listen {exporter}", folder),
        hour.serving(
            # Debian's Prometheus keeps what it has in one place, and would draw the line of an earlier play.
            "prometheus --config.file=prometheus.yml --storage.tsdb.path=data "
            f"--web.listen-address=127.0.0.1:{prometheus}",
            settings,
        ),
    ):
        _await(lambda: _points(address) >= 2, "a line of Prometheus")


def _points(address: str) -> int:
    """How many points the graph of what was written has by now."""
    now = time.time()
    query = urllib.parse.urlencode(
        {"query": GRAPH, "start": now - 300, "end": now, "step": 15},
    )
    answer: dict[str, Any] = json.loads(_page(f"{address}/api/v1/query_range?{query}"))
    return max((len(series["values"]) for series in answer["data"]["result"]), default=0)


def _console(hour: Hour, folder: Path) -> None:
    """The console, until its first screen and that of the table have come."""
    with hour.serving(f"sluice console --sink {SQLITE} --listen 0", folder) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        _await(lambda: "customers" in _page(address), "the console")
        _await(lambda: "customers" in _page(f"{address}targets/customers"), "the table")


def _page(address: str) -> str:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return str(answer.read().decode())


def _await(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            if condition():
                return
        except OSError:  # it does not listen yet
            pass
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {SECONDS:.0f} s: {what}")
        time.sleep(0.2)


def table(steps: list[tuple[str, float]]) -> str:
    """A Markdown table of the steps, with their minutes and seconds, and those of all so far."""
    lines = ["| step | min:s | by then |", "|---|---|---|"]
    total = 0.0
    for title, seconds in steps:
        total += seconds
        lines.append(f"| {title} | {_minutes(seconds)} | {_minutes(total)} |")
    return "\n".join(lines)


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def main(argv: list[str] | None = None) -> int:
    """Play the hour; returns the exit code."""
    parser = argparse.ArgumentParser(prog="first-hour", description=__doc__)
    parser.add_argument("--installer", choices=["pip", "uv"], default="pip")
    options = parser.parse_args(argv)
    if shutil.which("prometheus") is None:
        print("first-hour: prometheus is missing (apt-get install prometheus)", file=sys.stderr)
        return 2
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="first-hour-") as name:
        hour = Hour(Path(name), options.installer)
        play(hour)
        size = sum(path.lstat().st_size for path in (hour.root / "venv").rglob("*"))
    version = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    print(
        f"\n{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, load {before:.1f} before and "
        f"{os.getloadavg()[0]:.1f} after; Python {sys.version.split()[0]}, {options.installer}, "
        f"{size / 1e9:.2f} GB installed, commit {version}\n\n{table(hour.steps)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
