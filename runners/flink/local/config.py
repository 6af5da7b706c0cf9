"""The settings and command lines of a local Flink cluster's processes."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runners.flink.local import fork_client
from runners.flink.local.fork_server import WORKER
from runners.flink.local.parts import Parts
from runners.flink.worker import BOOT, PROGRAMS

# Flink 1.16 and Beam's job server reflect on the JDK (docs/ops/deployment: Java 17).
_OPENED = (
    *("java.lang", "java.lang.reflect", "java.util", "java.util.concurrent"),
    *("java.util.concurrent.atomic", "java.net", "java.io", "java.nio", "java.text"),
    *("java.time", "sun.nio.ch"),
)
_EXPORTED = ("java.base/sun.net.util", "java.rmi/sun.rmi.registry")

_BRIEF = "-XX:TieredStopAtLevel=1"
"""Spends no time on optimizing code that runs for seconds: half of the CPU time of a cluster's first job.
Records of these pipelines hardly pass through Java."""

_LOGGING = """rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %-5p %c{1} %m%n
logger.akka.name = akka
logger.akka.level = WARN
"""


@dataclass(frozen=True, slots=True)
class Layout:
    """One cluster: a folder, ports on loopback, sizes.

    Attributes:
        folder: Where everything of it is; absolute.
        rest_port: Of the JobManager's REST API and user interface.
        rpc_port: Of the JobManager, for TaskManagers.
        job_port: Of Beam's job server.
        slots: Of a TaskManager.
    """

    folder: Path
    rest_port: int
    rpc_port: int
    job_port: int
    slots: int

    @property
    def master(self) -> str:
        """The JobManager, as ``--flink_master`` takes it."""
        return f"localhost:{self.rest_port}"

    @property
    def job_endpoint(self) -> str:
        """The job server, as ``--job_endpoint`` takes it."""
        return f"localhost:{self.job_port}"

    @property
    def configuration(self) -> Path:
        """The folder of Flink's settings."""
        return self.folder / "conf"

    @property
    def binaries(self) -> Path:
        """The folder of the ``python`` that starts workers."""
        return self.folder / "bin"

    @property
    def scratch(self) -> Path:
        """The folder of what running processes alone need."""
        return self.folder / "tmp"

    @property
    def worker(self) -> Path:
        """The program that starts a Python worker in this program's environment."""
        return self.folder / "worker.sh"


def write(layout: Layout, parts: Parts) -> None:
    """Write everything that the processes read when they start."""
    for name in ("bin", "conf", "checkpoints", "savepoints", "tmp", "artifacts", "logs"):
        (layout.folder / name).mkdir(parents=True, exist_ok=True)
    (layout.configuration / "flink-conf.yaml").write_text(settings(layout))
    (layout.configuration / "log4j.properties").write_text(_LOGGING)
    own, binaries = (
        shlex.quote(str(path)) for path in (layout.binaries, Path(sys.executable).parent)
    )
    boot, scratch = shlex.quote(str(parts.boot)), shlex.quote(str(layout.scratch))
    # Each worker gets a folder: boot writes staged files where it is told to, and
    # pipeline_options.json into its working directory. Workers that start at the same time would
    # read each other's half-written files.
    layout.worker.write_text(
        "#!/bin/sh\n"
        f'export PATH={own}:{binaries}:"$PATH" RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1\n'
        f'export {PROGRAMS}="$PWD"\n'
        # Boot keeps the id of this shell, so a folder whose process has ended is nobody's.
        f"for old in {scratch}/worker-*-*; do\n"
        '  of=${old##*/worker-}; kill -0 "${of%%-*}" 2>/dev/null || rm -rf "$old"\n'
        "done\n"
        f'own=$(mktemp -d {scratch}/worker-$$-XXXXXXXX) && cd "$own" || exit 1\n'
        f"export {BOOT}=$$\n"
        f'exec {boot} --semi_persist_dir="$own" "$@"\n'
    )
    layout.worker.chmod(0o755)
    # Before each worker, boot asks pip three times what is installed: for its log, and whether Beam
    # is, as it is in this program's environment. That took most of a worker's start.
    # A worker is forked from a process that has imported all of it (fork_server), unless boot has
    # installed something first.
    python = layout.binaries / "python"
    executable = shlex.quote(sys.executable)
    client = shlex.quote(fork_client.__file__)
    python.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        '"-m pip freeze --all" | "-m pip show apache-beam") exit 0 ;;\n'
        '"-m pip install "*) : >installed ;;\n'
        f'"-m {WORKER}"*) [ -e installed ] ||\n'
        f'  exec {executable} -I -S {client} {scratch} {executable} "$@" ;;\n'
        "esac\n"
        f'exec {executable} "$@"\n'
    )
    python.chmod(0o755)


def settings(layout: Layout) -> str:
    """The text of ``flink-conf.yaml``."""
    values = {
        "jobmanager.rpc.address": "localhost",
        "jobmanager.rpc.port": layout.rpc_port,
        "jobmanager.bind-host": "127.0.0.1",
        "jobmanager.memory.process.size": "1600m",
        "rest.address": "localhost",
        "rest.port": layout.rest_port,
        "rest.bind-address": "127.0.0.1",
        "taskmanager.host": "localhost",
        "taskmanager.bind-host": "127.0.0.1",
        "taskmanager.numberOfTaskSlots": layout.slots,
        # Flink's scripts, which are not here, would compute these.
        "taskmanager.cpu.cores": f"{layout.slots}.0",
        "taskmanager.memory.task.heap.size": "1024m",
        "taskmanager.memory.task.off-heap.size": "64m",
        "taskmanager.memory.managed.size": "256m",
        "taskmanager.memory.network.min": "128m",
        "taskmanager.memory.network.max": "128m",
        "taskmanager.memory.framework.heap.size": "128m",
        "taskmanager.memory.framework.off-heap.size": "128m",
        "taskmanager.memory.jvm-metaspace.size": "512m",
        "taskmanager.memory.jvm-overhead.min": "128m",
        "taskmanager.memory.jvm-overhead.max": "128m",
        "io.tmp.dirs": layout.scratch,
        "state.backend": "hashmap",
        "state.checkpoints.dir": (layout.folder / "checkpoints").as_uri(),
        "state.savepoints.dir": (layout.folder / "savepoints").as_uri(),
        "state.checkpoints.num-retained": 3,
        "parallelism.default": 1,
        # Beam's classes are those of the cluster, which loads them once. A job's own copies of the
        # same classes would be loaded and compiled with each job: a third of its CPU time.
        "classloader.resolve-order": "parent-first",
        # A killed TaskManager is noticed after two refused heartbeats: after seconds, instead of
        # 20 s with Flink's default interval of 10 s.
        "heartbeat.interval": 2000,
        "heartbeat.timeout": 30000,
        # Flink's default restarts a stream forever, every second and silently, and a bounded job
        # never. With this strategy a permanent error ends either of them within minutes: nine
        # attempts of less than 37 s each. Waiting for a database that is away takes longer per
        # attempt, so it never ends a job.
        "restart-strategy": "failure-rate",
        "restart-strategy.failure-rate.max-failures-per-interval": 8,
        "restart-strategy.failure-rate.failure-rate-interval": "5 min",
        "restart-strategy.failure-rate.delay": "5 s",
    }
    return "".join(f"{name}: {value}\n" for name, value in values.items())


def job_manager(layout: Layout, parts: Parts) -> list[str]:
    """The command of the JobManager."""
    main = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
    return [
        *_java(layout, parts, "jobmanager", "1g"),
        main,
        "--configDir",
        str(layout.configuration),
    ]


def task_manager(layout: Layout, parts: Parts, name: str) -> list[str]:
    """The command of a TaskManager."""
    main = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
    command = [*_java(layout, parts, "taskmanager", "1300m"), main]
    return [
        *(*command, "--configDir", str(layout.configuration)),
        f"-Dtaskmanager.resource-id={name}",
    ]


def job_server(layout: Layout, parts: Parts) -> list[str]:
    """The command of Beam's job server."""
    return [
        *_java(layout, parts, "jobserver", "1g", flink=False),
        "org.apache.beam.runners.flink.FlinkJobServerDriver",
        "--job-host=localhost",
        f"--job-port={layout.job_port}",
        "--artifact-port=0",
        "--expansion-port=-1",
        f"--artifacts-dir={layout.folder / 'artifacts'}",
        f"--flink-master={layout.master}",
        f"--flink-conf-dir={layout.configuration}",
    ]


def _java(layout: Layout, parts: Parts, kind: str, heap: str, *, flink: bool = True) -> list[str]:
    # Flink's first: Beam's jar holds some of Flink's classes too.
    jars = (parts.flink, parts.job_server) if flink else (parts.job_server,)
    archived = () if parts.classes is None else parts.classes.options(kind)
    return [
        *(parts.java, f"-Xmx{heap}", "-XX:+UseSerialGC", _BRIEF, *archived),
        *(f"-Djava.io.tmpdir={layout.scratch}",),
        f"-Dlog4j.configurationFile={(layout.configuration / 'log4j.properties').as_uri()}",
        *(f"--add-exports={each}=ALL-UNNAMED" for each in _EXPORTED),
        *(f"--add-opens=java.base/{each}=ALL-UNNAMED" for each in _OPENED),
        *("-cp", os.pathsep.join(_class_path(jars))),
    ]


def _class_path(folders: Sequence[Path]) -> list[str]:
    """The jars of these folders, in the order that is noted with their classes."""
    return [str(jar) for folder in folders for jar in sorted(folder.glob("*.jar"))]
