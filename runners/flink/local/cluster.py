"""A real Flink cluster on this machine, with Beam's job server, for development and tests.

    python -m runners.flink.local up|down|status [--folder .flink] [--slots 4]

Its processes outlive the command. Everything that it needs and writes is in one folder. It is a
session cluster without high availability: a JobManager that is started again does not know any
jobs, and they are resumed from the checkpoints, which the folder keeps (``--savepoint_path``).
"""

from __future__ import annotations

import json
import random
import shutil
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runners import programs, streams
from runners.file_lock import locked
from runners.flink.endpoints import FOLDER, Endpoints, endpoints, forget_endpoints, write_endpoints
from runners.flink.local import classes, config, fork_server, parts
from runners.flink.local.classes import Archives
from runners.flink.local.config import Layout
from runners.flink.local.parts import Parts
from runners.flink.local.processes import STOP_SECONDS, Processes
from runners.flink.rest import FlinkRefused, FlinkRest, FlinkUnreachable
from runners.parser import Parser
from runners.ports import free_ports
from runners.runner import RunnerUnavailable

START_SECONDS = 90.0

JOB_MANAGER, JOB_SERVER, TASK_MANAGER = "jobmanager", "jobserver", "taskmanager-"
FORK_SERVER = "forkserver"

_TRAINING = "runners.flink.local.training"
_WRITING_SECONDS = 120.0
"""The longest that a virtual machine writes its classes, when it ends."""
"""The names of its processes; that of a TaskManager ends with a number."""


class FlinkCluster:
    """One cluster in a folder.

    Args:
        folder: Where everything of it is.
        slots: Of every TaskManager.
    """

    def __init__(self, folder: Path = FOLDER, slots: int = 4) -> None:
        self.folder = folder.absolute()
        self.processes = Processes(self.folder)
        self._slots = slots
        self._fetched = fetched

    @property
    def endpoints(self) -> Endpoints:
        """How it is used.

        Raises:
            RunnerUnavailable: It was never started.
        """
        written = endpoints(self.folder)
        if written is None:
            raise RunnerUnavailable(f"no Flink cluster in {self.folder}: start it with `up`")
        return written

    @property
    def rest(self) -> FlinkRest:
        """Its REST API."""
        return FlinkRest(self.endpoints.flink_master)

    def up(self) -> Endpoints:
        """Start those of its processes that do not run; return when it can take jobs.

        Raises:
            RunnerUnavailable: A part is missing, or did not start within ``START_SECONDS``.
        """
        fetched = self._fetched()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / ".gitignore").write_text("*\n")
        with locked(self.folder / ".lock"):
            if not any(map(self.processes.running, self.processes.names())):
                self._choose_ports()
                self._clean()  # what a machine that was switched off has left
            layout = self._layout()
            config.write(layout, fetched)
            self._start(JOB_MANAGER, fetched)
            if fork_server.AVAILABLE:
                self._start(FORK_SERVER, fetched)
            if not any(map(self.processes.running, self.task_managers())):
                self._start(f"{TASK_MANAGER}1", fetched)
            self._start(JOB_SERVER, fetched)
            cluster = Endpoints(layout.master, layout.job_endpoint, str(layout.worker))
            write_endpoints(self.folder, cluster)
            self.await_task_managers(1)
            self._await(JOB_SERVER, "to listen", lambda: _listens(layout.job_port))
            if fork_server.AVAILABLE:
                ready = layout.scratch / fork_server.SOCKET
                self._await(FORK_SERVER, "to import", ready.exists)
        return cluster

    def down(self, seconds: float = STOP_SECONDS) -> None:
        """Stop everything that was started; jobs are cancelled, checkpoints and savepoints stay.

        Args:
            seconds: The longest wait for one process, before it is killed.
        """
        if not self.folder.is_dir():
            return
        with locked(self.folder / ".lock"):
            for name in reversed(self.processes.names()):
                self.processes.stop(name, seconds)
            forget_endpoints(self.folder)
            self._clean()

    def _clean(self) -> None:
        """Remove what only running processes need: copies of jars, folders of workers, packages."""
        for name in ("tmp", "artifacts"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def start(self, name: str) -> None:
        """Start one process of a cluster that is up, unless it runs.

        Args:
            name: ``JOB_MANAGER``, ``JOB_SERVER``, or ``TASK_MANAGER`` and a number.
        """
        self._start(name, self._fetched())

    def task_managers(self) -> list[str]:
        """The names of the TaskManagers that were started and not stopped."""
        return [name for name in self.processes.names() if name.startswith(TASK_MANAGER)]

    def await_task_managers(self, count: int) -> None:
        """Wait until ``count`` of them have registered.

        Raises:
            RunnerUnavailable: Not within ``START_SECONDS``, or a process has ended.
        """
        slots = count * self._layout().slots
        self._await(
            *(JOB_MANAGER, f"to have {slots} slots"),
            lambda: self.overview().get("slots-total", 0) >= slots,
        )

    def overview(self) -> dict[str, Any]:
        """The JobManager's summary of the cluster; empty if it does not answer."""
        try:
            overview: dict[str, Any] = self.rest.get("/overview")
        except (FlinkUnreachable, FlinkRefused):  # it is starting
            return {}
        return overview

    def _choose_ports(self) -> None:
        rest, rpc, job = free_ports(3)
        sizes = {"rest_port": rest, "rpc_port": rpc, "job_port": job, "slots": self._slots}
        (self.folder / "layout.json").write_text(json.dumps(sizes) + "\n")

    def _layout(self) -> Layout:
        sizes = json.loads((self.folder / "layout.json").read_text())
        return Layout(folder=self.folder, **sizes)

    def _start(self, name: str, fetched: Parts) -> None:
        if self.processes.running(name):
            return
        layout = self._layout()
        environment = {"FLINK_CONF_DIR": str(layout.configuration)}
        if name == JOB_MANAGER:
            command = config.job_manager(layout, fetched)
        elif name == FORK_SERVER:
            command, environment = fork_server.command(layout.scratch), fork_server.ENVIRONMENT
        elif name == JOB_SERVER:
            command = config.job_server(layout, fetched)
        else:
            command = config.task_manager(layout, fetched, name)
        self.processes.start(name, command, environment)

    def _await(self, name: str, what: str, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not reached():
            names = self.processes.names()
            ended = [process for process in names if not self.processes.running(process)]
            if ended:
                raise RunnerUnavailable(
                    f"{ended[0]} of the local Flink cluster ended: "
                    f"{self.processes.last_line(ended[0])} (log: {self.processes.log(ended[0])})"
                )
            if time.monotonic() > deadline:
                raise RunnerUnavailable(
                    f"{name} of the local Flink cluster took more than {START_SECONDS:.0f} s {what}: "
                    f"{self.processes.last_line(name)} (log: {self.processes.log(name)})"
                )
            time.sleep(random.uniform(0.1, 0.3))  # noqa: S311 - jitter


def fetched() -> Parts:
    """All parts, and their classes; what is missing is fetched or noted first, once.

    Raises:
        RunnerUnavailable: A part cannot be had.
    """
    of_cluster = parts.fetched()
    number, version = parts.java_version(of_cluster.java)
    if number < classes.JAVA:
        return of_cluster

    def write(archives: Archives, folder: Path) -> None:
        cluster = FlinkCluster(folder, slots=1)
        cluster._fetched = lambda: replace(of_cluster, classes=archives)
        try:
            at = cluster.up()
            arguments = [at.flink_master, at.job_endpoint, at.worker_command]
            programs.run([sys.executable, "-m", _TRAINING, *arguments], folder)
        finally:
            cluster.down(_WRITING_SECONDS)

    return replace(of_cluster, classes=classes.archives(parts.NAME, version, write))


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("localhost", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def parser() -> Parser:
    """The options of ``runners.flink.local``."""
    parser = Parser(
        prog="python -m runners.flink.local",
        description="Start and stop a real Flink cluster on this machine, with Beam's job server.",
        epilog="examples:\n  %(prog)s up --slots 8\n  %(prog)s status\n  %(prog)s down",
    )
    parser.add_argument(
        "action",
        choices=("up", "down", "status"),
        help="start it; stop it, keeping checkpoints; show what runs",
    )
    group = parser.add_argument_group("the cluster")
    group.add_argument(
        "--folder",
        type=Path,
        default=FOLDER,
        help="where everything of it is (default: .flink)",
    )
    group.add_argument(
        "--slots", type=int, default=4, metavar="N", help="slots of a TaskManager (default: 4)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 done, 1 failed or not running."""
    with streams.lasting():
        return _main(argv)


def _main(argv: Sequence[str] | None) -> int:
    arguments = parser().parse_args(argv)
    cluster = FlinkCluster(arguments.folder, arguments.slots)
    try:
        if arguments.action == "down":
            cluster.down()
            return 0
        if arguments.action == "up":
            cluster.up()
    except RunnerUnavailable as error:
        sys.stderr.write(f"flink.local: {error}\n")
        return 1
    return _show(cluster)


def _show(cluster: FlinkCluster) -> int:
    """Print what runs and how it is used; 0 if everything does."""
    written = endpoints(cluster.folder)
    if written is None:
        sys.stdout.write(f"no Flink cluster in {cluster.folder}\n")
        return 1
    names = cluster.processes.names()
    running = [name for name in names if cluster.processes.running(name)]
    overview = cluster.overview()
    sys.stdout.write(
        f"flink_master  {written.flink_master} (http://{written.flink_master})\n"
        f"job_endpoint  {written.job_endpoint}\n"
        f"processes     {', '.join(running) or 'none'}\n"
        f"slots         {overview.get('slots-available', 0)} free of {overview.get('slots-total', 0)}\n"
        f"jobs running  {overview.get('jobs-running', 0)}\n"
    )
    return 0 if len(running) == len(names) and overview else 1
