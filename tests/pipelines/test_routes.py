"""One stream into several tables, from the command line to what the tables, the jobs and the audit say."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from pipelines import command
from pipelines import ingest as ingest_command
from pipelines import runs as runs_command
from tests.pipelines.commands import OUTCOMES, audit, dead_letters, printed
from tests.pipelines.tables import query

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.slow

TYPES = ("order", "customer", *(f"kind{number}" for number in range(3, 11)))
"""Ten types of events, of which the first has a foreign key to the second."""

EACH = 12
"""How many records there are of each type."""

ORDERS: dict[str, Any] = {
    "table": "orders",
    "when": {"field": "type", "is": "order"},
    "key": ["id"],
}
ROUTES: list[dict[str, Any]] = [
    ORDERS,
    {"table": "customers", "when": {"field": "type", "is": "customer"}, "key": ["id"]},
    {
        "table": "${type}",
        "name": "kinds",
        "when": "starts_with(type, 'kind')",
        "tables": list(TYPES[2:]),
        "key": ["id"],
    },
]


@pytest.fixture
def shop(tmp_path: Path, sink: str) -> str:
    """A database with two tables of a shop, and a file of events: orders before their customers."""
    query(
        sink,
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, type TEXT NOT NULL, customer INTEGER)",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, type TEXT NOT NULL, "
        "customer INTEGER NOT NULL REFERENCES customers (id))",
    )
    events = [event(kind, number) for number in range(EACH) for kind in TYPES]
    write_events(tmp_path, "a", events)
    return sink


def event(kind: str, number: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "type": kind, "customer": number, **more}


def write_events(folder: Path, name: str, events: list[dict[str, Any]], *lines: str) -> None:
    text = [*map(json.dumps, events), *lines]
    (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in text))


def write_routes(folder: Path, routes: list[dict[str, Any]]) -> str:
    path = folder / "routes.json"
    path.write_text(json.dumps({"routes": routes}))
    return str(path)


def run(folder: Path, sink: str, *more: str, pipeline: str | None = "shop") -> dict[str, Any]:
    """Ingest the events of a folder, which has to succeed; returns the summary, whose tables add up."""
    path = folder / "summary.json"
    argv = ["--source", f"{folder}/*.jsonl", "--sink", sink, "--no_progress"]
    argv += ["--summary_json", str(path), *more]
    argv += ["--pipeline", pipeline] if pipeline is not None else []
    assert command.run("ingest", ingest_command.main, argv) == 0
    summary: dict[str, Any] = json.loads(path.read_text())
    for counts in (summary, *summary["tables"].values()):
        outcomes = sum(counts[outcome] for outcome in OUTCOMES)
        assert counts["read"] + counts["expanded"] == outcomes
    for name in ("read", "expanded", *OUTCOMES):
        assert sum(counts[name] for counts in summary["tables"].values()) == summary[name]
    return summary


def counted(summary: Mapping[str, Any], name: str) -> dict[str, int]:
    return {table: counts[name] for table, counts in summary["tables"].items() if counts[name]}


def test_ten_types_go_to_ten_tables_and_what_matches_no_route_is_dead(
    tmp_path: Path, shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_events(tmp_path, "b", [event("robot", 1), event("kind", 2)], '{"id": ')
    routes = write_routes(tmp_path, ROUTES)
    summary = run(tmp_path, shop, "--routes", routes)
    tables = {"orders": EACH, "customers": EACH, **dict.fromkeys(TYPES[2:], EACH)}
    assert counted(summary, "inserted") == tables
    assert counted(summary, "dead") == {"(none)": 3}
    assert {table: query(shop, f"SELECT count(*) FROM {table}")[0][0] for table in tables} == tables
    dead = query(shop, "SELECT target, stage, category FROM ingest_jobs")
    assert Counter(dead) == {
        ("(none)", "route", "no_route"): 2,
        ("(none)", "parse", "malformed"): 1,
    }
    out, _ = capsys.readouterr()
    for kind in TYPES[2:]:
        assert f"made table {kind} (" in out
    assert "made table orders" not in out, "it was there"
    assert "made table (none)" not in out
    assert audit(shop) == 0
    assert run(tmp_path, shop, "--routes", routes)["read"] == 0


def test_a_table_that_a_record_names_is_made_and_told_of(
    tmp_path: Path, sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_events(tmp_path, "a", [event("kind3", 1), event("kind4", 1), event("robot", 1)])
    kinds = {name: value for name, value in ROUTES[2].items() if name != "tables"}
    routes = write_routes(tmp_path, [{**kinds, "pattern": "kind[0-9]"}])
    summary = run(tmp_path, sink, "--max_dead", "9", "--routes", routes)
    assert counted(summary, "inserted") == {"kind3": 1, "kind4": 1}
    err = capsys.readouterr().err
    for table in ("kind3", "kind4"):
        assert err.count(f"made table {table} (id text, payload json") == 1


def test_commands_count_each_table(
    tmp_path: Path, shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, shop, "--routes", write_routes(tmp_path, ROUTES))
    capsys.readouterr()
    assert audit(shop) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert any(line.startswith(f"orders: {EACH} read = {EACH} inserted") for line in lines), lines
    listed = ["list", "--sink", shop, "--json"]
    assert command.run("runs", runs_command.main, listed) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["pipeline"], entry["target"]) == ("shop", "(none)")
    assert entry["tables"]["orders"]["inserted"] == EACH


def test_a_record_of_two_tables_is_replayed_into_the_one_that_refused_it(
    tmp_path: Path, shop: str
) -> None:
    strict = {"properties": {"customer": {"maximum": 5}}}
    (tmp_path / "order.schema").write_text(json.dumps(strict))
    orders = {**ORDERS, "schema": "order.schema"}
    entries = {"table": "entries", "when": {"field": "type", "is": "order"}, "key": ["id"]}
    argv = ("--routes", write_routes(tmp_path, [orders, entries, *ROUTES[1:]]))
    first = run(tmp_path, shop, *argv)
    assert counted(first, "inserted")["entries"] == EACH
    assert counted(first, "dead") == {"orders": EACH - 6}
    assert first["expanded"] == EACH
    assert query(shop, "SELECT DISTINCT target FROM ingest_jobs") == [("orders",)]
    assert audit(shop) == 0

    (tmp_path / "order.schema").write_text("{}")
    assert dead_letters("replay", "--sink", shop, "--table", "orders", "--reason", "v2") == 0
    again = run(tmp_path, shop, *argv)
    assert counted(again, "inserted") == {"orders": EACH - 6}
    assert again["duplicates"] == 0, "the other table is left alone"
    assert query(shop, "SELECT count(*) FROM orders") == [(EACH,)]
    assert query(shop, "SELECT DISTINCT state FROM ingest_jobs") == [("completed",)]
    assert audit(shop) == 0


def test_a_route_that_is_added_reads_nothing_again_and_heals_what_matched_none(
    tmp_path: Path, shop: str
) -> None:
    write_events(tmp_path, "b", [event("robot", 1)])
    run(tmp_path, shop, "--routes", write_routes(tmp_path, ROUTES))
    robots = {"table": "robots", "when": {"field": "type", "is": "robot"}, "key": ["id"]}
    argv = ("--routes", write_routes(tmp_path, [robots, *ROUTES]))
    assert run(tmp_path, shop, *argv)["read"] == 0
    assert query(shop, "SELECT count(*) FROM robots") == [(0,)]
    assert dead_letters("replay", "--sink", shop, "--reason", "a route for robots") == 0
    healed = run(tmp_path, shop, *argv)
    assert counted(healed, "inserted") == {"robots": 1}
    assert query(shop, "SELECT count(*) FROM robots") == [(1,)]
    assert query(shop, "SELECT state FROM ingest_jobs") == [("completed",)]
    assert audit(shop) == 0


def test_a_pipeline_of_one_table_that_gets_routes_keeps_its_ledger_and_jobs(
    tmp_path: Path, sink: str
) -> None:
    events = [event("order", 1), event("robot", 2)]
    write_events(tmp_path, "a", events, '{"id": ')
    one = ("--table", "events", "--key", "id")
    assert run(tmp_path, sink, *one, pipeline=None)["inserted"] == 2
    robots = {"table": "robots", "when": {"field": "type", "is": "robot"}, "key": ["id"]}
    write_events(tmp_path, "b", [event("order", 3), event("robot", 4)])
    argv = (*one, "--routes", write_routes(tmp_path, [robots]))
    assert dead_letters("replay", "--sink", sink, "--reason", "try") == 0
    second = run(tmp_path, sink, *argv, pipeline=None)
    assert second["read"] == 3, "the new file, and the job"
    assert second["attempts"] == 1
    assert counted(second, "inserted") == {"events": 1, "robots": 1}
    assert counted(second, "dead") == {"events": 1}, "which is still no JSON"
    assert query(sink, "SELECT DISTINCT pipeline FROM ingest_progress") == [("events",)]
    assert query(sink, "SELECT name, target FROM ingest_pipelines") == [("events", "events")]
    assert audit(sink) == 0


@pytest.mark.parametrize(
    ("routes", "more", "line"),
    [
        (
            {"routes": [ORDERS], "default": {"table": "rest"}},
            ("--table", "t"),
            "--table t gets what matches no route, and so does the default of",
        ),
        (
            {"routes": [{**ORDERS, "when": {"feld": "type"}}]},
            ("--pipeline", "p"),
            "routes.json:1:",
        ),
        ({"routes": []}, ("--pipeline", "p"), "routes is a list of routes"),
    ],
    ids=["two defaults", "a mistake", "no route"],
)
def test_routes_that_do_not_fit_are_one_line(
    routes: dict[str, Any],
    more: tuple[str, ...],
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n')
    database = tmp_path / "a.db"
    argv = ["--source", f"{tmp_path}/a.jsonl", "--sink", f"sqlite:///{database}"]
    (tmp_path / "routes.json").write_text(json.dumps(routes))
    argv += ["--routes", f"{tmp_path}/routes.json", *more]
    assert command.run("ingest", ingest_command.main, argv) == 2
    (message,) = printed(capsys.readouterr().err)
    assert line in message
    assert not database.exists()


def written(folder: Path) -> Counter[str]:
    """The types of all records in the objects below a folder."""
    lines = (
        line
        for path in folder.rglob("*.jsonl.gz")
        for line in gzip.decompress(path.read_bytes()).splitlines()
    )
    return Counter(json.loads(line)["type"] for line in lines)


def test_a_route_to_objects_stands_beside_tables(tmp_path: Path, shop: str) -> None:
    place = f"file://{tmp_path}/lake?format=jsonl.gz"
    archive = {"table": "archive", "when": {"exists": True, "field": "id"}, "sink": place}
    argv = ("--routes", write_routes(tmp_path, [*ROUTES, archive]))
    summary = run(tmp_path, shop, *argv)
    assert counted(summary, "inserted")["archive"] == EACH * len(TYPES)
    assert counted(summary, "inserted")["orders"] == EACH
    assert written(tmp_path / "lake" / "archive") == dict.fromkeys(TYPES, EACH)
    assert audit(shop) == 0
    assert run(tmp_path, shop, *argv)["read"] == 0


def test_a_record_of_a_table_and_of_a_dataset_is_one_row_of_each(tmp_path: Path, sink: str) -> None:
    write_events(tmp_path, "a", [event("order", number) for number in range(EACH)])
    place = f"file://{tmp_path}/lake?format=parquet"
    every = [{**ORDERS, "name": "orders"}, {"table": "archive", "sink": place}]
    late = {"table": "archive", "name": "late", "sink": place, "when": "id >= `10`"}
    summary = run(tmp_path, sink, "--routes", write_routes(tmp_path, every))
    assert counted(summary, "inserted") == {"orders": EACH, "archive": EACH}
    (first,) = (tmp_path / "lake" / "archive").iterdir()
    assert "ingest_expansion" not in pq.ParquetFile(first).schema_arrow.names
    # Where two routes may give one record two rows, these can be told apart.
    write_events(tmp_path, "b", [event("order", number) for number in (20, 21)])
    summary = run(tmp_path, sink, "--routes", write_routes(tmp_path, [*every, late]))
    assert counted(summary, "inserted") == {"orders": 2, "archive": 4}
    (second,) = set((tmp_path / "lake" / "archive").iterdir()) - {first}
    names = ["ingest_offset", "ingest_expansion"]
    rows = pq.ParquetFile(second).read(names).to_pylist()
    assert len({tuple(row.values()) for row in rows}) == 4


def test_routes_may_lead_to_objects_alone(tmp_path: Path, sink: str) -> None:
    events = [event("order", 1), event("order", 2), event("robot", 3)]
    write_events(tmp_path, "a", events, '{"id": ')
    orders = {name: ORDERS[name] for name in ("table", "when")}
    place = f"file://{tmp_path}/lake?format=jsonl.gz"
    argv = ("--state", sink, "--table", "rest", "--routes", write_routes(tmp_path, [orders]))
    summary = run(tmp_path, place, *argv)
    assert written(tmp_path / "lake" / "orders") == {"order": 2}
    assert written(tmp_path / "lake" / "rest") == {"robot": 1}
    own = f"file://{tmp_path}/lake/rest"
    assert counted(summary, "inserted") == {"orders": 2, own: 1}
    assert counted(summary, "dead") == {own: 1}
    assert audit(sink) == 0
    assert run(tmp_path, place, *argv)["read"] == 0


def test_a_header_need_not_fit_every_table(tmp_path: Path, shop: str) -> None:
    query(shop, "CREATE TABLE robots (id INTEGER PRIMARY KEY, type TEXT, model TEXT)")
    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "b.csv").write_text("id,type,model\n1,robot,R2\n2,customer,\n")
    robots = {"table": "robots", "when": {"field": "type", "is": "robot"}, "key": ["id"]}
    path = tmp_path / "summary.json"
    argv = ["--source", f"{tmp_path}/*.csv", "--sink", shop, "--no_progress", "--pipeline", "shop"]
    argv += ["--summary_json", str(path), "--max_dead", "5"]
    argv += ["--routes", write_routes(tmp_path, [robots, ROUTES[1]])]
    assert command.run("ingest", ingest_command.main, argv) == 0
    summary = json.loads(path.read_text())
    assert counted(summary, "inserted") == {"robots": 1}
    assert counted(summary, "dead") == {"customers": 1}, "which has no column model"


def test_fields_that_a_route_hides_are_hidden_wherever_failures_are_shown(
    tmp_path: Path, sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_events(tmp_path, "a", [event("order", 1, email="ann@example.org")])
    schema = {"required": ["price"], "properties": {"id": {}, "price": {"type": "integer"}}}
    (tmp_path / "s.json").write_text(json.dumps(schema))
    orders = {**ORDERS, "map": [{"hash": {"email": "sha256"}}], "schema": "s.json"}
    run(tmp_path, sink, "--max_dead", "5", "--routes", write_routes(tmp_path, [orders]))
    capsys.readouterr()
    assert dead_letters("list", "--sink", sink, "--json") == 0
    (job,) = json.loads(capsys.readouterr().out)
    assert job["table"] == "orders"
    assert "ann@example.org" not in json.dumps(job)


def test_dead_letters_of_every_table_fail_a_run_that_asks_for_it(
    tmp_path: Path, shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_events(tmp_path, "b", [event("order", 99)])  # whose customer is not there
    argv = [
        "--source",
        f"{tmp_path}/*.jsonl",
        "--sink",
        shop,
        "--no_progress",
        "--pipeline",
        "shop",
    ]
    argv += ["--routes", write_routes(tmp_path, ROUTES), "--fail_on_dead_letters"]
    argv += ["--max_attempts", "1"]
    for _ in range(2):
        assert command.run("ingest", ingest_command.main, argv) == command.DEAD_LETTERS
        *_, line = printed(capsys.readouterr().err)
        assert "1 dead letters of these sources are unresolved" in line
        assert "dead-letters list --pipeline shop" in line
    assert dead_letters("list", "--sink", shop, "--pipeline", "shop", "--json") == 0
    (job,) = json.loads(capsys.readouterr().out)
    assert (job["table"], job["category"]) == ("orders", "foreign_key")


@pytest.mark.integration
def test_a_stream_goes_to_objects_of_s3(tmp_path: Path, s3: S3Client, s3_endpoint: str) -> None:
    s3.create_bucket(Bucket="lake")
    write_events(tmp_path, "a", [event("order", number) for number in range(EACH)], '{"id": ')
    schema = {"properties": {"id": {"type": "integer"}, "type": {"type": "string"}, "customer": {}}}
    (tmp_path / "s.json").write_text(json.dumps(schema))
    state = f"sqlite:///{tmp_path}/state.db"
    argv = ["--state", state, "--table", "orders", "--schema", f"{tmp_path}/s.json"]
    argv += ["--s3_endpoint_url", s3_endpoint]
    place = "s3://lake/shop?format=parquet&partition=type"
    summary = run(tmp_path, place, *argv)
    assert summary["tables"]["s3://lake/shop/orders"]["inserted"] == EACH
    names = [each["Key"] for each in s3.list_objects_v2(Bucket="lake")["Contents"]]
    (name,) = [name for name in names if name.endswith(".parquet")]
    assert name.startswith("shop/orders/type=order/")
    body = s3.get_object(Bucket="lake", Key=name)["Body"].read()
    assert set(pq.read_table(io.BytesIO(body))["id"].to_pylist()) == set(range(EACH))
    assert pq.read_table(io.BytesIO(body)).num_rows == EACH
    assert audit(state) == 0
    assert run(tmp_path, place, *argv)["read"] == 0
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="lake")["Contents"]] == names
