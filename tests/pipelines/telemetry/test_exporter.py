"""The exporter shows what it read last, and nothing once it cannot read any more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from pipelines.telemetry.exporter import Exporter, Loop, families
from sinks.database.database import Database
from sinks.figures.sample import Sample
from sinks.sql import SqlConfig, SqlSink
from tests.io.sinks.tested_database import make_batch
from transforms.errors import SinkUnavailable

READ = {"pipeline": "events", "target": "events", "source": "other"}


@pytest.fixture
def database(tmp_path: Path) -> Database:
    config = SqlConfig.of(f"sqlite:///{tmp_path}/ingest.db", "events", key=["id"])
    sink = SqlSink(config)
    sink.prepare()
    sink.commit([make_batch([{"id": "1"}])])
    return config.database


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def test_it_shows_what_it_has_read(database: Database) -> None:
    exporter = Exporter(database, 10, 10)
    registry = CollectorRegistry()
    registry.register(exporter)
    assert value(registry, "sluice_exporter_up") == 0
    assert value(registry, "sluice_records_read_total", **READ) is None
    assert not exporter.ready().ok
    exporter.figures.once()
    assert value(registry, "sluice_exporter_up") == 1
    assert value(registry, "sluice_records_read_total", **READ) == 1
    assert value(registry, "sluice_audit_timestamp_seconds") is None
    assert exporter.ready().ok
    exporter.audit.once()
    gaps = {"pipeline": "events", "source": "other"}
    assert value(registry, "sluice_ledger_gaps", **gaps) == 0
    assert value(registry, "sluice_audit_timestamp_seconds") is not None


def test_loops_read_by_themselves_until_the_block_ends(database: Database) -> None:
    exporter = Exporter(database, 0.01, 0.01)
    with exporter.reading():
        for loop in (exporter.figures, exporter.audit):
            assert loop.has_read.wait(30)
    assert exporter.live().ok


def test_what_was_read_is_forgotten_when_the_database_is_away() -> None:
    answers: list[Sequence[Sample] | SinkUnavailable] = [
        [Sample("sluice_exporter_up", 1, {})],
        SinkUnavailable("cannot reach it"),
    ]

    def read() -> Sequence[Sample]:
        answer = answers.pop(0)
        if isinstance(answer, SinkUnavailable):
            raise answer
        return answer

    loop = Loop("figures", read, 10)
    loop.once()
    assert loop.last is not None
    assert loop.failure == ""
    loop.once()
    assert loop.last is None
    assert loop.failure == "cannot reach it"


def test_the_age_of_the_last_audit_is_shown_also_when_audits_fail(
    database: Database,
) -> None:
    exporter = Exporter(database, 10, 10)
    registry = CollectorRegistry()
    registry.register(exporter)
    exporter.audit.once()
    before = value(registry, "sluice_audit_timestamp_seconds")
    assert before is not None

    def fail() -> Sequence[Sample]:
        raise SinkUnavailable("it is away")

    exporter.audit.read = fail
    exporter.audit.once()
    assert value(registry, "sluice_audit_timestamp_seconds") == before
    assert value(registry, "sluice_exporter_duration_seconds", loop="audit") is None


def test_each_series_belongs_to_a_metric_of_the_table() -> None:
    samples = [Sample("sluice_records_read_total", 3, READ), Sample("sluice_exporter_up", 1, {})]
    shown = {family.name: [s.value for s in family.samples] for family in families(samples)}
    assert shown == {"sluice_records_read": [3], "sluice_exporter_up": [1]}
