"""A real schema registry: Apicurio's, which speaks Confluent's API, on 127.0.0.1 with a port of its own.

    with SchemaRegistry() as registry:
        number = registry.register("orders-value", '"string"')

It keeps its schemas in memory: a registry that was stopped or killed begins anew, unless it is paused
(``pause``, ``go_on``). It needs Java, and Maven once (``available()`` says what is missing).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from runners import build_cache
from runners.ports import free_ports
from tests.services import kafka_jars
from tests.services.process import ServiceProcess
from tests.waiting import wait_until

VERSION = "3.0.9"
JAR = f"apicurio-registry-app-{VERSION}-runner.jar"
GOAL = "org.apache.maven.plugins:maven-dependency-plugin:2.8:get"
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
API = "/apis/ccompat/v7"
FETCH_SECONDS = 600.0
START_SECONDS = 280.0
STOP_SECONDS = 10.0

Reference = tuple[str, str]
"""The name under which a schema refers to another, and the subject of that one (its version 1)."""


def folder() -> Path:
    """Where the registry's program is, or will be once it is fetched."""
    return build_cache.jars_folder() / f"apicurio-{VERSION}"


def available() -> str | None:
    """Why no registry can be started here, in a few words; None when one can."""
    missing = kafka_jars.available()
    if missing is None or (folder().is_dir() and missing.startswith("mvn")):
        return None
    return missing.replace("the broker", "the registry")


def fetched() -> Path:
    """The folder of the registry's program, fetched now if it is not there yet.

    Raises:
        RuntimeError: Maven could not fetch it; its last lines are in the message.
    """
    return build_cache.made_once(folder(), _fetch)


def _fetch(scratch: Path) -> Path:
    # Maven puts it into its own repository; this one is thrown away with the scratch folder.
    repository = scratch / "repository"
    maven = subprocess.run(
        [
            *("mvn", "-q", "-B", "-C", GOAL, "-Dtransitive=false"),
            *(f"-Dartifact={ARTIFACT}", f"-Dmaven.repo.local={repository}"),
        ],
        cwd=scratch,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=FETCH_SECONDS,
        check=False,
    )
    archives = list(repository.glob("io/apicurio/**/*.tar.gz"))
    if maven.returncode or not archives:
        raise RuntimeError(
            f"Maven could not fetch {ARTIFACT} (exit {maven.returncode}); is its repository "
            f"reachable? It said:\n{maven.stdout[-4000:]}"
        )
    program = scratch / "program"
    with tarfile.open(archives[0]) as archive:
        archive.extractall(program, filter="data")
    return program


def _classes() -> Path:
    """Its classes as the virtual machine has loaded them once: a start then takes half of the time."""
    program = fetched()
    return build_cache.made_once(
        folder().with_name(f"{folder().name}.jsa"), lambda scratch: _dump(program, scratch)
    )


def _dump(program: Path, scratch: Path) -> Path:
    (port,) = free_ports(1)
    archive = scratch / "classes.jsa"
    command = _command(program, f"-XX:ArchiveClassesAtExit={archive}")
    process = ServiceProcess(command, scratch, scratch / "log", _settings(port))
    try:
        wait_until(lambda: _answers(port), "the schema registry answers", seconds=START_SECONDS)
    finally:
        process.stop(START_SECONDS)
    return archive


def _command(program: Path, *more: str) -> list[str]:
    small = ["-Xms64m", "-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    return ["java", *small, *more, "-jar", str(program / JAR)]


def _settings(port: int) -> dict[str, str]:
    return {"QUARKUS_HTTP_HOST": "127.0.0.1", "QUARKUS_HTTP_PORT": str(port)}


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{API}/subjects", timeout=5) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False


@dataclass
class SchemaRegistry:
    """A registry that keeps its port over stop and start; its context ends it for good."""

    _folder: Path | None = field(default=None, init=False, repr=False)
    _port: int = field(default=0, init=False)
    _process: ServiceProcess | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where Confluent's API answers, the same after every start."""
        return f"http://127.0.0.1:{self._port}{API}"

    def start(self) -> None:
        """Start it and wait until it answers; nothing happens if it runs already."""
        if self._process is not None and self._process.exit_status is None:
            return
        archive = _classes()
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="registry-"))
            (self._port,) = free_ports(1)
        command = _command(fetched(), f"-XX:SharedArchiveFile={archive}")
        log = self._folder / "log"
        self._process = ServiceProcess(command, self._folder, log, _settings(self._port))
        try:
            wait_until(self._answers, "the schema registry answers", seconds=START_SECONDS)
        except (AssertionError, RuntimeError):
            self.close()
            raise

    def pause(self) -> None:
        """Let it answer nothing, without losing what it holds."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a pause."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it and delete its folder."""
        if self._process is not None:
            self._process.kill()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def register(
        self, subject: str, schema: str, kind: str = "AVRO", references: Sequence[Reference] = ()
    ) -> int:
        """Add a version to a subject; returns the id of the schema.

        Raises:
            RuntimeError: The registry refuses it; what it says is in the message.
        """
        named = [{"name": name, "subject": of, "version": 1} for name, of in references]
        body = {"schema": schema, "schemaType": kind, "references": named}
        return int(self.call(f"/subjects/{subject}/versions", body)["id"])

    def call(self, path: str, body: Any = None) -> Any:
        """The answer of Confluent's API to a GET, or to a POST of ``body``."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
        request = urllib.request.Request(self.url + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.code} {error.read()[:500]!r}") from error

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._folder is not None
        if self._process.exit_status is not None:
            log = (self._folder / "log").read_text(errors="replace")[-4000:]
            raise RuntimeError(f"the registry ended with {self._process.exit_status}; log:\n{log}")
        return _answers(self._port)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)
