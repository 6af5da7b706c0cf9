"""A real Flink cluster on this machine, with Beam's job server, for development and tests.

    python -m runners.flink.local up|down|status [--folder .flink] [--slots 4]

Its processes outlive the command; all that it needs, and says, is in one folder. It is a
session cluster without high availability: a JobManager that is started again knows no jobs,
and they are resumed from the checkpoints, which the folder keeps (``--savepoint_path``).
"""

from __future__ import annotations

import argparse
import fcntl
import json
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runners.flink.local import config as flink_config
from runners.flink.local import parts as flink_parts
from runners.flink.local.config import Layout
from runners.flink.local.processes import Processes
from runners.flink.rest import FlinkRefused, FlinkRest, FlinkUnreachable
from runners.runner import RunnerUnavailable

FOLDER = Path(".flink")
START_SECONDS = 90.0

_JOB_MANAGER, _JOB_SERVER, _TASK_MANAGER = "jobmanager", "jobserver", "taskmanager-"

# Below the range that outgoing connections take their ports from, so that a JobManager which is
# started again finds its own free.
_PORTS = range(20_000, 32_000)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """How a running cluster is used: what ``up`` has written into its folder.

    Attributes:
        flink_master: As ``--flink_master`` takes it.
        job_endpoint: As ``--job_endpoint`` takes it.
        worker_command: Starts a Python worker there (``--environment_type PROCESS``).
    """

    flink_master: str
    job_endpoint: str
    worker_command: str


def endpoints(folder: Path = FOLDER) -> Endpoints | None:
    """Those of the cluster in ``folder``, whether or not it still runs; None if there is none."""
    try:
        return Endpoints(**json.loads((folder / "cluster.json").read_text()))
    except FileNotFoundError:
        return None


class FlinkCluster:
    """One cluster in a folder.

    Args:
        folder: Where everything of it lies.
        slots: Of every TaskManager.
    """

    def __init__(self, folder: Path = FOLDER, slots: int = 4) -> None:
        self.folder = folder.absolute()
        self.processes = Processes(self.folder)
        self._slots = slots

    @property
    def endpoints(self) -> Endpoints:
        """How it is used.

        Raises:
            RunnerUnavailable: It was never started.
        """
        found = endpoints(self.folder)
        if found is None:
            raise RunnerUnavailable(f"no Flink cluster in {self.folder}: start it with `up`")
        return found

    @property
    def rest(self) -> FlinkRest:
        """Its REST API."""
        return FlinkRest(self.endpoints.flink_master)

    def up(self) -> Endpoints:
        """Start whatever of it does not run; return when it can take jobs.

        Raises:
            RunnerUnavailable: A part is missing, or did not start within ``START_SECONDS``.
        """
        parts = flink_parts.fetched()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / ".gitignore").write_text("*\n")
        with _locked(self.folder / ".lock"):
            layout = self._layout()
            flink_config.write(layout, parts)
            self._start(_JOB_MANAGER, flink_config.job_manager(layout, parts))
            if not any(map(self.processes.running, self.task_managers())):
                name = f"{_TASK_MANAGER}1"
                self._start(name, flink_config.task_manager(layout, parts, name))
            self._start(_JOB_SERVER, flink_config.job_server(layout, parts))
            made = Endpoints(layout.master, layout.job_endpoint, str(layout.worker))
            (self.folder / "cluster.json").write_text(json.dumps(asdict(made), indent=2) + "\n")
            self.await_task_managers(1)
            self._await(_JOB_SERVER, "to listen", lambda: _listens(layout.job_port))
        return made

    def down(self) -> None:
        """Stop all that ``up`` has started; jobs are cancelled, checkpoints stay."""
        if not self.folder.is_dir():
            return
        with _locked(self.folder / ".lock"):
            for name in reversed(self.processes.names()):
                self.processes.stop(name)
            (self.folder / "cluster.json").unlink(missing_ok=True)

    def task_managers(self) -> list[str]:
        """The names of those that were started and not stopped."""
        return [each for each in self.processes.names() if each.startswith(_TASK_MANAGER)]

    def start_task_manager(self) -> str:
        """Start one more and return its name; it registers within seconds."""
        layout, parts = self._layout(), flink_parts.fetched()
        numbers = [int(each.removeprefix(_TASK_MANAGER)) for each in self.task_managers()]
        name = f"{_TASK_MANAGER}{max(numbers, default=0) + 1}"
        self._start(name, flink_config.task_manager(layout, parts, name))
        return name

    def kill_task_manager(self, name: str) -> None:
        """End one and its workers by SIGKILL, as a machine that is lost ends them."""
        self.processes.kill(name)

    def restart_job_manager(self) -> None:
        """Kill the JobManager and start it again on its ports: it has forgotten its jobs."""
        self.processes.kill(_JOB_MANAGER)
        layout, parts = self._layout(), flink_parts.fetched()
        self._start(_JOB_MANAGER, flink_config.job_manager(layout, parts))
        self.await_task_managers(len(self.task_managers()))

    def await_task_managers(self, count: int) -> None:
        """Wait until ``count`` of them have registered.

        Raises:
            RunnerUnavailable: Not within ``START_SECONDS``, or a process has ended.
        """
        slots = count * self._layout().slots
        self._await(
            *(_JOB_MANAGER, f"to have {slots} slots"),
            lambda: self.overview().get("slots-total", 0) >= slots,
        )

    def overview(self) -> dict[str, Any]:
        """What the JobManager says of the cluster; empty when it does not answer."""
        try:
            found: dict[str, Any] = self.rest.get("/overview")
        except (FlinkUnreachable, FlinkRefused):  # it is starting
            return {}
        return found

    def _layout(self) -> Layout:
        """That of last time while anything of it runs; else new ports."""
        file = self.folder / "layout.json"
        if file.exists() and any(map(self.processes.running, self.processes.names())):
            return Layout(folder=self.folder, **json.loads(file.read_text()))
        rest, rpc, job = _free_ports(3)
        sizes = {"rest_port": rest, "rpc_port": rpc, "job_port": job, "slots": self._slots}
        file.write_text(json.dumps(sizes) + "\n")
        return Layout(folder=self.folder, **sizes)

    def _start(self, name: str, command: Sequence[str]) -> None:
        if not self.processes.running(name):
            self.processes.start(name, command, {"FLINK_CONF_DIR": str(self.folder / "conf")})

    def _await(self, name: str, what: str, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not reached():
            ended = [each for each in self.processes.names() if not self.processes.running(each)]
            if ended:
                raise RunnerUnavailable(
                    f"{ended[0]} of the local Flink cluster ended: "
                    f"{self.processes.said(ended[0])} (log: {self.processes.log(ended[0])})"
                )
            if time.monotonic() > deadline:
                raise RunnerUnavailable(
                    f"{name} of the local Flink cluster took more than {START_SECONDS:.0f} s {what}: "
                    f"{self.processes.said(name)} (log: {self.processes.log(name)})"
                )
            time.sleep(random.uniform(0.1, 0.3))  # noqa: S311 - jitter


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # Waiting has no deadline of its own: the holder's waits have, and a dead holder holds nothing.
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("localhost", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; distinct, as all are held until the last is found."""
    held: list[socket.socket] = []
    try:
        for port in random.sample(_PORTS, 1_000):
            candidate = socket.socket()
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                candidate.close()
                continue
            held.append(candidate)
            if len(held) == count:
                return [each.getsockname()[1] for each in held]
        raise RunnerUnavailable(f"no {count} free ports between {_PORTS.start} and {_PORTS.stop}")
    finally:
        for each in held:
            each.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 done, 1 failed or not running."""
    parser = argparse.ArgumentParser(prog="python -m runners.flink.local", allow_abbrev=False)
    parser.add_argument("action", choices=("up", "down", "status"))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="default: .flink")
    parser.add_argument("--slots", type=int, default=4, help="slots of a TaskManager (default: 4)")
    given = parser.parse_args(argv)
    cluster = FlinkCluster(given.folder, given.slots)
    try:
        if given.action == "down":
            cluster.down()
            return 0
        if given.action == "up":
            cluster.up()
    except RunnerUnavailable as error:
        sys.stderr.write(f"flink_cluster: {error}\n")
        return 1
    return _say(cluster)


def _say(cluster: FlinkCluster) -> int:
    found = endpoints(cluster.folder)
    if found is None:
        sys.stdout.write(f"no Flink cluster in {cluster.folder}\n")
        return 1
    names = cluster.processes.names()
    running = [each for each in names if cluster.processes.running(each)]
    overview = cluster.overview()
    sys.stdout.write(
        f"flink_master  {found.flink_master} (http://{found.flink_master})\n"
        f"job_endpoint  {found.job_endpoint}\n"
        f"processes     {', '.join(running) or 'none'}\n"
        f"slots         {overview.get('slots-available', 0)} free of {overview.get('slots-total', 0)}\n"
        f"jobs running  {overview.get('jobs-running', 0)}\n"
    )
    return 0 if len(running) == len(names) and overview else 1
