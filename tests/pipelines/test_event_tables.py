"""The example of one stream into tables and Parquet: routed, run, replayed and run again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from examples import event_tables
from pipelines.ingest import ingest
from sinks.database import leases
from sinks.database.engine import dispose_engines
from tests.pipelines.commands import audit, dead_letters, printed
from tests.pipelines.tables import query
from transforms.batch.record import JSON, RecordBatch, Span
from transforms.route.route import Route
from transforms.route.routes import Routes
from transforms.steps.each_record import EachRecord

pytestmark = pytest.mark.slow

EVENTS: list[dict[str, Any]] = [
    {"type": "customer", "id": 7},
    {"type": "order", "id": 1, "amount": 2.5},
    {"type": "click", "id": 3},
    {"type": "order", "id": 2, "amount": "much"},
]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The URL of an empty database, and the URI of a folder."""
    yield f"sqlite:///{tmp_path}/shop.db", (tmp_path / "lake").as_uri()
    leases.release_all()
    dispose_engines()


def lake(folder: Path) -> Counter[tuple[str, int]]:
    """The type and the id of each event that the manifest names."""
    manifest = json.loads((folder / "_manifest.json").read_text())
    names = [entry["name"] for entry in manifest["objects"]]
    tables = [pq.ParquetFile(folder / name).read(["type", "id"]) for name in names]
    return Counter((row["type"], row["id"]) for table in tables for row in table.to_pylist())


def test_each_event_is_counted_for_its_tables(place: tuple[str, str]) -> None:
    sink = event_tables.routed_sink(*place)
    sink.prepare()
    raws = [json.dumps(event).encode() for event in EVENTS]
    batch = RecordBatch(Span("test://events", "0", 0, 4), JSON, [0, 1, 2, 3], raws)
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        outputs = event_tables.written(pipeline | beam.Create([batch]), sink)
        counts = outputs.settled | beam.Map(
            lambda settled: {
                table: (counts.read, counts.expanded, counts.inserted, counts.dead)
                for table, counts in settled.by_target.items()
            }
        )
        expected = {
            "customers": (1, 0, 1, 0),
            "orders": (1, 0, 1, 0),
            "events": (1, 2, 3, 0),
            "(none)": (1, 0, 0, 1),
        }
        assert_that(counts, equal_to([expected]), label="counts")
        dead = outputs.dead | beam.Map(lambda failure: (failure.stage, failure.category))
        assert_that(dead, equal_to([("InCents", "amount")]), label="dead")


def test_a_second_run_adds_nothing_and_a_replay_what_it_repairs(
    place: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "events.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in EVENTS))
    url, folder = place
    argv = ["--source", f"{tmp_path}/*.jsonl", "--sink", url, "--lake", folder]

    def run() -> str:
        assert event_tables.main(argv) == 0
        return capsys.readouterr().out.splitlines()[-1]

    assert run() == "4 read, 2 expanded, 5 inserted, 1 dead"
    assert run() == "0 read, 0 expanded, 0 inserted, 0 dead"
    assert query(url, "SELECT id, payload FROM orders") == [("1", '{"id":1,"amount":250}')]
    assert query(url, "SELECT id FROM customers") == [("7",)]
    events = Counter([("customer", 7), ("order", 1), ("click", 3)])
    assert lake(tmp_path / "lake") == events

    monkeypatch.setattr(event_tables, "in_cents", lambda record: record)
    assert dead_letters("replay", "--sink", url, "--reason", "read anew") == 0
    capsys.readouterr()
    run()
    assert query(url, "SELECT id FROM orders ORDER BY id") == [("1",), ("2",)]
    assert lake(tmp_path / "lake") == events + Counter([("order", 2)])
    assert audit(url) == 0


ROUTES = Routes([Route("orders", {"field": "type", "is": "order"}, key=("id",))])


@pytest.mark.parametrize("in_a_file", [False, True])
def test_a_program_may_have_the_routes_behind_its_steps(
    place: tuple[str, str], tmp_path: Path, in_a_file: bool
) -> None:
    (tmp_path / "events.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in EVENTS))
    file = tmp_path / "routes.json"
    file.write_text('{"routes": [{"table": "orders", "when": {"field": "type", "is": "order"}}]}')
    url, _ = place
    code = ingest(
        steps=[EachRecord(event_tables.in_cents, "InCents")],
        routes=str(file) if in_a_file else ROUTES,
        argv=["--no_progress"],
        source=f"{tmp_path}/*.jsonl",
        sink=url,
        table="rest",
        key="id",
    )
    assert code == 0
    assert query(url, "SELECT payload FROM orders") == [('{"type":"order","id":1,"amount":250}',)]
    assert query(url, "SELECT id FROM rest ORDER BY id") == [("3",), ("7",)]
    options = json.loads(query(url, "SELECT options FROM ingest_runs")[0][0])
    assert options["routes"] == (str(file) if in_a_file else "of the program")


def test_routes_of_a_program_that_do_not_fit_are_one_line(
    place: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"source": f"{tmp_path}/*.jsonl", "sink": place[0], "key": "id", "pipeline": "shop"}
    assert ingest(routes=ROUTES, argv=["--no_progress"], **options) == 2
    assert "write it in the program with each route" in printed(capsys.readouterr().err)[0]
