"""The processes that watch: an exporter, Prometheus, and Alertmanager with somebody who listens to it."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from benchmarks.observed.shortened import shortened
from runners.ports import free_ports
from tests.services.process import ServiceProcess

OPS = Path(__file__).resolve().parents[2] / "ops"
START_SECONDS = 60.0
STOP_SECONDS = 10.0
PROGRAMS = ("prometheus", "prometheus-alertmanager")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everybody listens."""

    exporter: int
    process: int
    prometheus: int
    alertmanager: int
    webhook: int

    @classmethod
    def free(cls) -> Ports:
        """Ports that are free now."""
        return cls(*free_ports(5))


class Exporter:
    """``pipelines.exporter``, which can be killed and started again.

    Args:
        folder: A new folder for its log.
        dsn: The database.
        port: Where it answers.
    """

    def __init__(self, folder: Path, dsn: str, port: int) -> None:
        folder.mkdir()
        self._folder, self._dsn, self._port = folder, dsn, port
        self._process: ServiceProcess | None = None

    def start(self, audit_seconds: int) -> None:
        """Start it; it audits every ``audit_seconds``."""
        argv = ["--sink", self._dsn, "--listen", str(self._port), "--interval", "1"]
        self._process = ServiceProcess(
            [
                sys.executable,
                "-m",
                "pipelines.exporter",
                *argv,
                "--audit_interval",
                str(audit_seconds),
            ],
            self._folder,
            self._folder / "log",
        )

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self._process is not None:
            self._process.kill()


@dataclass(slots=True)
class Prometheus:
    """A Prometheus that scrapes and evaluates every second.

    Attributes:
        port: Where it answers.
        rules: The rules that it evaluates.
        started: When it was started, in seconds since 1970.
    """

    port: int
    rules: dict[str, Any]
    started: float = field(default_factory=time.time)

    def ask(self, path: str, **parameters: Any) -> Any:
        """The ``data`` of an answer of its API."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)["data"]

    def series(self, expression: str, step: int = 1) -> list[dict[str, Any]]:
        """The series of an expression from the start until now."""
        times = {"start": self.started, "end": time.time(), "step": step}
        result: list[dict[str, Any]] = self.ask("query_range", query=expression, **times)["result"]
        return result

    def firing(self) -> set[str]:
        """The names of the alerts that fire now."""
        alerts = self.ask("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


@contextmanager
def prometheus(root: Path, ports: Ports, factor: int) -> Iterator[Prometheus]:
    """A Prometheus with the settings of ops/, but for addresses and times; ended afterwards.

    Args:
        root: Where its folder is made.
        ports: Where everybody listens.
        factor: What the times of the rules are divided by.
    """
    folder = root / "prometheus"
    folder.mkdir()
    rules = shortened((OPS / "prometheus" / "rules.yaml").read_text(), factor)
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
    settings = yaml.safe_load((OPS / "prometheus" / "prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    addresses = {"sluice-exporter": ports.exporter, "sluice": ports.process}
    for job in settings["scrape_configs"]:
        job["static_configs"][0]["targets"] = [f"127.0.0.1:{addresses[job['job_name']]}"]
    managers = settings["alerting"]["alertmanagers"]
    managers[0]["static_configs"][0]["targets"] = [f"127.0.0.1:{ports.alertmanager}"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    command = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{ports.prometheus}",
        "--log.level=warn",
    ]
    process = ServiceProcess(command, folder, folder / "log")
    try:
        _await(f"http://127.0.0.1:{ports.prometheus}/-/ready", folder / "log")
        yield Prometheus(ports.prometheus, rules)
    finally:
        process.stop(STOP_SECONDS)


@contextmanager
def alertmanager(root: Path, ports: Ports) -> Iterator[Counter[tuple[str, str, str]]]:
    """An Alertmanager with the settings of ops/, but for addresses and times; ended afterwards.

    Yields:
        How often its webhooks were told of each alert, by path, name and status; it grows.
    """
    folder = root / "alertmanager"
    folder.mkdir()
    text = (OPS / "alertmanager" / "alertmanager.yml").read_text()
    settings = yaml.safe_load(text.replace("127.0.0.1:9095", f"127.0.0.1:{ports.webhook}"))
    for route in (settings["route"], *settings["route"]["routes"]):
        route.update({"group_wait": "1s", "group_interval": "1s"})
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(settings))
    command = [
        "prometheus-alertmanager",
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{ports.alertmanager}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    told: Counter[tuple[str, str, str]] = Counter()
    server = ThreadingHTTPServer(("127.0.0.1", ports.webhook), _listener(told))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    process = ServiceProcess(command, folder, folder / "log")
    try:
        _await(f"http://127.0.0.1:{ports.alertmanager}/-/ready", folder / "log")
        yield told
    finally:
        process.stop(STOP_SECONDS)
        server.shutdown()
        server.server_close()


def missing() -> Sequence[str]:
    """The programs that this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def _listener(told: Counter[tuple[str, str, str]]) -> type[BaseHTTPRequestHandler]:
    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            for alert in message["alerts"]:
                told[self.path, alert["labels"]["alertname"], alert["status"]] += 1
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as in the base class
            """Say nothing."""

    return Listener


def _await(url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"{url} does not answer: {error}\n{log.read_text()}") from error
        time.sleep(0.2)
