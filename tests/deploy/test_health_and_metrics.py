"""Whoever restarts, watches or wakes asks where the programs of deploy/ answer."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
import yaml
from prometheus_client import CollectorRegistry

from pipelines import exporter
from pipelines.console import command as console
from pipelines.ingestion.options import from_argv
from pipelines.telemetry.exporter import Exporter
from pipelines.telemetry.server import Health, serving
from sinks.database.database import Database
from sinks.sql import SqlConfig, SqlSink
from tests.deploy.deployment_files import (
    DEPLOY,
    ROOT,
    arguments,
    by_compose,
    by_kubernetes,
    compose,
    manifests,
    only,
)
from tests.io.sinks.tested_database import make_batch

PODS = {"exporter": "sluice-exporter", "ingest": "sluice-ingest"}
"""The programs that answer, each with the name of its pods and of their service."""


def composed(program: str) -> list[str]:
    """The arguments of a program in the compose file."""
    entrypoint = compose()["services"][program]["entrypoint"]
    assert entrypoint[:2] == ["sluice", program]
    return arguments(entrypoint[2:])


def pod(program: str) -> dict[str, Any]:
    template: dict[str, Any] = only("Deployment", PODS[program])["spec"]["template"]
    return template


def container(program: str) -> dict[str, Any]:
    only_one: dict[str, Any]
    (only_one,) = pod(program)["spec"]["containers"]
    assert only_one["command"] == ["sluice", program]
    return only_one


def address_of(program: str, argv: Sequence[str]) -> tuple[str, int]:
    """Where a program answers, as its own parser reads its arguments."""
    if program == "exporter":
        address: tuple[str, int] = exporter.parser().parse_args(list(argv)).listen
        return address
    shown_at = from_argv(argv)[1].metrics_address
    assert shown_at is not None
    return shown_at


programs = pytest.mark.parametrize("program", PODS)


@programs
def test_a_program_answers_where_its_service_its_probes_and_its_annotations_say(
    program: str,
) -> None:
    host, port = address_of(program, container(program)["args"])
    assert host == "0.0.0.0"
    assert container(program)["ports"] == [{"name": "metrics", "containerPort": port}]
    assert pod(program)["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/path": "/metrics",
        "prometheus.io/port": str(port),
    }
    service = only("Service", PODS[program])["spec"]
    assert service["selector"].items() <= pod(program)["metadata"]["labels"].items()
    assert service["ports"] == [{"name": "metrics", "port": port, "targetPort": "metrics"}]
    # A pod that is not ready is the one whose figures are wanted.
    assert service["publishNotReadyAddresses"] is True


@programs
def test_the_operator_of_prometheus_is_told_of_each_service(program: str) -> None:
    monitor = only("ServiceMonitor", PODS[program])["spec"]
    service = only("Service", PODS[program])
    # monitoring.coreos.com/v1: labels of the service, and the name of its port
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert endpoint["path"] == "/metrics"


def test_the_console_of_compose_asks_who_somebody_is() -> None:
    service = compose()["services"]["console"]
    (users,) = (each for each in service["secrets"] if isinstance(each, dict))
    flags = console.parser().parse_args(arguments(service["entrypoint"][2:]))
    assert flags.listen == ("0.0.0.0", 8400)
    assert flags.users == Path(f"/run/secrets/{users['source']}")
    # What others may read is refused: it is the user's alone, and only read.
    assert f"{users['uid']}:" in service["user"]
    assert users["mode"] == 0o400
    assert compose()["secrets"][users["source"]] == {"environment": "SLUICE_CONSOLE_USERS"}
    assert service["ports"] == ["127.0.0.1:8400:8400"]
    assert "127.0.0.1:8400/live" in service["healthcheck"]["test"][-1]


@programs
def test_a_program_is_restarted_if_it_is_not_live_and_waits_if_it_is_not_ready(
    program: str,
) -> None:
    described = container(program)
    for probe, path in (
        ("startupProbe", "/live"),
        ("livenessProbe", "/live"),
        ("readinessProbe", "/ready"),
    ):
        assert described[probe]["httpGet"] == {"path": path, "port": "metrics"}, probe


def test_everything_that_goes_on_has_a_probe() -> None:
    for manifest in manifests():
        if manifest["kind"] == "Deployment":
            for described in manifest["spec"]["template"]["spec"]["containers"]:
                assert {"startupProbe", "readinessProbe", "livenessProbe"} <= described.keys()
    for name, service in compose()["services"].items():
        ends_or_does_nothing = service["restart"] == "no" or "/pause:" in service["image"]
        assert ("healthcheck" in service) != ends_or_does_nothing, name


@programs
@pytest.mark.parametrize("well", [True, False])
def test_the_check_of_compose_fails_if_the_program_says_that_it_is_not_well(
    program: str, well: bool
) -> None:
    service = compose()["services"][program]
    port = address_of(program, composed(program))[1]
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    kind, python, option, code = service["healthcheck"]["test"]
    assert (kind, python, option) == ("CMD", "python", "-c")
    health = Health.of([] if well else ["away"])
    with serving(
        ("127.0.0.1", 0), CollectorRegistry(), live=lambda: health, ready=lambda: health
    ) as here:
        assert f"http://127.0.0.1:{port}/" in code
        with nullcontext() if well else pytest.raises(OSError, match="503"):
            exec(code.replace(f":{port}/", f":{here}/"), {})


def test_the_stream_without_flink_does_what_the_job_does() -> None:
    for alone, submitted in (
        (composed("ingest"), by_compose().submit),
        (container("ingest")["args"], by_kubernetes().submit),
    ):
        (here, run), (there, _) = from_argv(alone), from_argv(submitted)
        assert run.runner.name == "DirectRunner"
        assert here.streaming
        for name in ("database", "table", "key", "on_conflict"):
            assert getattr(here.sql, name) == getattr(there.sql, name), name
        uris = [source.uri.partition("?")[0] for source in here.sources]
        assert uris == [source.uri.partition("?")[0] for source in there.sources]


def policy(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = only("NetworkPolicy", name)["spec"]
    return spec


@programs
def test_prometheus_alone_reaches_a_program(program: str) -> None:
    port = address_of(program, container(program)["args"])[1]
    guard = policy(PODS[program])
    assert guard["podSelector"]["matchLabels"].items() <= pod(program)["metadata"]["labels"].items()
    (rule,) = guard["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": port}]
    (peer,) = rule["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}
    assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "prometheus"}


def test_a_program_reaches_what_its_command_names_and_nothing_else() -> None:
    for program, hosts in (
        ("exporter", {"postgres": 5432}),
        ("ingest", {"kafka": 9092, "postgres": 5432}),
    ):
        command = " ".join(container(program)["args"])
        named = re.findall(r"(\w+)\.(\w+):(\d+)/", command)
        assert {(name, name, str(port)) for name, port in hosts.items()} == set(named)
        reached = {
            peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]: each["port"]
            for rule in policy(PODS[program])["egress"]
            for peer in rule["to"]
            for each in rule["ports"]
        }
        assert reached == hosts


def prometheus(of: str) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / f"{of}.yml").read_text())
    return settings


def scraped(of: str) -> dict[str, list[str]]:
    """Host and port of what Prometheus asks, by the name of the job."""
    return {
        job["job_name"]: [
            *(target for each in job.get("static_configs", ()) for target in each["targets"]),
            *(f"{n}:{d['port']}" for d in job.get("dns_sd_configs", ()) for n in d["names"]),
        ]
        for job in prometheus(of)["scrape_configs"]
    }


def test_prometheus_asks_where_the_programs_answer() -> None:
    here = {name: address_of(name, composed(name))[1] for name in PODS}
    assert scraped("compose") == {
        "sluice-exporter": [f"exporter:{here['exporter']}"],
        "sluice": [f"ingest:{here['ingest']}"],
    }
    there = {name: address_of(name, container(name)["args"])[1] for name in PODS}
    assert scraped("kubernetes") == {
        "sluice-exporter": [f"{PODS['exporter']}.sluice:{there['exporter']}"],
        "sluice": [f"{PODS['ingest']}.sluice:{there['ingest']}"],
    }
    # The name of a service has to stand for each of its pods.
    assert only("Service", PODS["ingest"])["spec"]["clusterIP"] == "None"


def test_prometheus_and_alertmanager_of_compose_read_the_files_of_ops() -> None:
    services = compose()["services"]
    mounted = {
        target: (DEPLOY / source).resolve()
        for name in ("prometheus", "alertmanager")
        for source, target, mode in (
            each.split(":") for each in services[name]["volumes"] if each.startswith(".")
        )
        if mode == "ro"
    }
    assert mounted == {
        "/etc/prometheus/prometheus.yml": DEPLOY / "prometheus" / "compose.yml",
        "/etc/prometheus/rules.yaml": ROOT / "ops" / "prometheus" / "rules.yaml",
        "/etc/alertmanager/alertmanager.yml": ROOT / "ops" / "alertmanager" / "alertmanager.yml",
    }
    assert all(path.exists() for path in mounted.values())
    for name in ("prometheus", "alertmanager"):
        assert f"--config.file=/etc/{name}/{name}.yml" in services[name]["command"]
    (manager,) = prometheus("compose")["alerting"]["alertmanagers"]
    (port,) = (each.rpartition(":")[2] for each in services["alertmanager"]["ports"])
    assert manager["static_configs"] == [{"targets": [f"alertmanager:{port}"]}]


@pytest.mark.parametrize("name", ["compose", "kubernetes"])
def test_prometheus_takes_its_settings(name: str, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing: apt-get install prometheus")
    shutil.copy(ROOT / "ops" / "prometheus" / "rules.yaml", tmp_path)
    settings = shutil.copy(DEPLOY / "prometheus" / f"{name}.yml", tmp_path)
    subprocess.run([promtool, "check", "config", settings], check=True, capture_output=True)


class TestRoleOfTheExporter:
    SCRIPT = (DEPLOY / "exporter-role.sql").read_text()
    ROLE = "sluice_exporter"

    @pytest.fixture
    def url(self, postgres_url: str) -> Iterator[str]:
        """As the role, to a database with a dead letter and a change to publish."""
        sink = SqlSink(SqlConfig.of(postgres_url, "events", key=["id"]), outbox=True)
        sink.prepare()
        sink.commit([make_batch([{"id": "1"}])])
        for _ in range(2):  # it may be run again
            run(postgres_url, self.SCRIPT)
        yield sa.make_url(postgres_url).set(username=self.ROLE).render_as_string(False)
        run(postgres_url, f"DROP OWNED BY {self.ROLE}; DROP ROLE {self.ROLE}")

    def test_it_is_the_one_of_the_manifest_and_has_a_password_of_its_own(self) -> None:
        assert f"CREATE ROLE {self.ROLE} " in self.SCRIPT
        described = container("exporter")
        (sink,) = (each for each in described["args"] if each.startswith("--sink="))
        assert sink.startswith(f"--sink=postgresql://{self.ROLE}:${{env:DB_PASSWORD}}@")
        (variable,) = described["env"]
        assert variable["name"] == "DB_PASSWORD"
        others = [each for each in container("ingest")["env"] if each["name"] == "DB_PASSWORD"]
        assert variable["valueFrom"] != others[0]["valueFrom"]

    def test_it_may_read_every_figure(self, url: str) -> None:
        shown = Exporter(Database(url), 10, 10)
        for loop in (shown.figures, shown.audit):
            loop.once()
            assert loop.failure == ""

    @pytest.mark.parametrize(
        "asked",
        [
            "SELECT raw FROM ingest_jobs",
            "SELECT message FROM ingest_jobs",
            "SELECT errors FROM ingest_jobs",
            "SELECT payload FROM ingest_outbox",
            "SELECT key FROM ingest_outbox",
            "SELECT * FROM events",
            "DELETE FROM ingest_jobs",
            "UPDATE ingest_progress SET source = ''",
        ],
    )
    def test_it_may_read_no_record_and_change_nothing(self, url: str, asked: str) -> None:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run(url, asked)


def run(url: str, statement: str) -> None:
    connection: Any = psycopg2.connect(url)
    try:
        connection.autocommit = True
        connection.cursor().execute(statement)
    finally:
        connection.close()
