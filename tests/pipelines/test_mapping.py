"""``--map`` on the whole path: headers, cells, schemas, retries and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipelines.commands import audit, dead_letters, ingest, ingested, printed
from tests.pipelines.tables import query

pytestmark = pytest.mark.slow

CUSTOMERS = """\
Customer ID,Full Name,E-Mail,Signup,Balance,Active,Notes
1,Ann Example,ann@example.org,2024-02-03,12.50,true,
2,"Bob, Jr.",bob@example.org,03/02/2024,"1,200.00",yes,""
3,Cy,,,,no,x
4,Dee,dee@example.org,2024-13-01,5,maybe,x
"""
TABLE = (
    "CREATE TABLE customers (id integer PRIMARY KEY, name text, email text, signup date,"
    " balance numeric(12, 2), active boolean, notes text, origin text, at_byte bigint)"
)
MAP = """\
- rename: {Customer ID: id, Full Name: name, E-Mail: email}
- rename: {Signup: signup, Balance: balance, Active: active, Notes: notes}
- cast:
    signup: {to: date, formats: [iso, "%d/%m/%Y"]}
    balance: {to: decimal, thousands: ","}
    active: {to: boolean, true: [yes], false: [no]}
- set: {origin: "@source", at_byte: "@offset"}
- hash: {email: sha256}
"""


def file(folder: Path, text: str, name: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


@pytest.fixture
def customers(tmp_path: Path) -> tuple[str, tuple[str, ...]]:
    """A CSV file with names of its own, and the options that map it to the table."""
    return file(tmp_path, CUSTOMERS, "customers.csv"), ("--map", file(tmp_path, MAP, "map.yaml"))


def dead(sink: str) -> list[tuple[Any, ...]]:
    return query(sink, "SELECT stage, category, message FROM ingest_jobs ORDER BY id")


def test_a_csv_with_names_of_its_own_goes_into_a_table_that_is_there(
    sink: str, customers: tuple[str, tuple[str, ...]]
) -> None:
    query(sink, TABLE)
    source, more = customers
    ingested(source, sink, *more, table="customers")
    shown = "SELECT id, name, notes, at_byte FROM customers ORDER BY id"
    assert query(sink, shown) == [
        (1, "Ann Example", "", CUSTOMERS.index("1,Ann")),
        (2, "Bob, Jr.", "", CUSTOMERS.index("2,")),
        (3, "Cy", "x", CUSTOMERS.index("3,Cy")),
    ]
    digest = hashlib.sha256(b"ann@example.org").hexdigest()
    assert query(sink, "SELECT email FROM customers WHERE id <> 2 ORDER BY id") == [
        (digest,),
        ("",),
    ]
    third = "SELECT id FROM customers WHERE signup IS NULL AND balance IS NULL AND NOT active"
    assert query(sink, third) == [(3,)]
    assert query(sink, "SELECT id FROM customers WHERE balance = 1200 AND active") == [(2,)]
    assert query(sink, "SELECT DISTINCT origin FROM customers") == [(f"file://{source}",)]
    assert dead(sink) == [
        ("map", "mapping", "cast signup: '2024-13-01' is not a date (ISO 8601 or %d/%m/%Y)")
    ]
    assert audit(sink) == 0


def test_a_replay_runs_the_mapping_of_now_on_what_was_read(
    sink: str, customers: tuple[str, tuple[str, ...]], tmp_path: Path
) -> None:
    query(sink, TABLE)
    source, more = customers
    ingested(source, sink, *more, table="customers")
    healed = MAP.replace('"%d/%m/%Y"', '"%d/%m/%Y", "%Y-%d-%m"').replace("[no]", "[no, maybe]")
    again = ("--map", file(tmp_path, healed, "healed.yaml"))
    assert dead_letters("replay", "--sink", sink, "--stage", "map", "--reason", "healed") == 0
    ingested(source, sink, *again, table="customers")
    rows = query(sink, "SELECT id, at_byte FROM customers WHERE id = 4 AND signup = '2024-01-13'")
    assert rows == [(4, CUSTOMERS.index("4,Dee"))]
    ingested(source, sink, *more, table="customers")
    assert query(sink, "SELECT count(*) FROM customers") == [(4,)]
    assert audit(sink) == 0


def test_a_schema_describes_the_mapped_record_and_converts_its_text(
    sink: str, tmp_path: Path
) -> None:
    schema = {
        "type": "object",
        "required": ["id"],
        "additionalProperties": False,
        "properties": {
            "id": {"type": "integer"},
            "n": {"type": ["integer", "null"]},
            "note": {"type": ["string", "null"]},
            "at": {"type": ["string", "null"], "format": "date-time"},
        },
    }
    text = 'n,id,note,ts\n1,5,,1718000000\n2,,"",\n3,x,n,\n'
    source = file(tmp_path, text, "t.csv")
    mapping = (
        "- rename: {n: id, id: n}\n- cast: {ts: {to: timestamp, epoch: s}}\n- rename: {ts: at}\n"
    )
    more: tuple[str, ...] = ("--map", file(tmp_path, mapping, "m.yaml"))
    more += ("--schema", file(tmp_path, json.dumps(schema), "s.json"))
    ingested(source, sink, *more, "--max_dead", "100%", table="t")
    assert query(sink, "SELECT id, n, note FROM t ORDER BY id") == [(1, 5, None), (2, None, "")]
    assert query(sink, "SELECT id FROM t WHERE at IS NOT NULL") == [(1,)]
    ((stage, category, message),) = dead(sink)
    assert (stage, category) == ("validate", "schema")
    assert message.startswith("/n")


def test_nested_json_becomes_columns_and_what_has_none_is_refused(
    sink: str, tmp_path: Path
) -> None:
    query(sink, "CREATE TABLE t (id integer PRIMARY KEY, city text, ts timestamp)")
    lines = (
        '{"id":1,"user":{"address":{"city":"Berlin"}},"ts":1718000000123}\n'
        '{"id":2,"user":{"address":null},"ts":"1718000000123"}\n'
        '{"id":3,"user":{},"ts":null,"more":1}\n'
        '{"id":4,"user":5}\n'
    )
    mapping = (
        "- path: {city: user.address.city}\n- drop: [user]\n"
        "- cast: {ts: {to: timestamp, epoch: ms}}\n"
    )
    more: tuple[str, ...] = ("--map", file(tmp_path, mapping, "m.yaml"))
    ingested(file(tmp_path, lines, "t.jsonl"), sink, *more, table="t")
    assert query(sink, "SELECT id, city FROM t ORDER BY id") == [(1, "Berlin"), (2, None)]
    assert query(sink, "SELECT count(DISTINCT ts) FROM t") == [(1,)]
    assert [each[:2] for each in dead(sink)] == [("map", "mapping"), ("write", "unknown_field")]
    more += ("--unknown_fields", "ignore")
    assert (
        dead_letters("replay", "--sink", sink, "--category", "unknown_field", "--reason", "x") == 0
    )
    ingested(file(tmp_path, lines, "t.jsonl"), sink, *more, table="t")
    assert query(sink, "SELECT id FROM t WHERE id > 2") == [(3,)]


def test_an_array_becomes_rows_that_fail_alone_and_are_replayed_alone(
    sink: str, tmp_path: Path
) -> None:
    query(sink, "CREATE TABLE t (id integer, no integer, n integer, PRIMARY KEY (id, no))")
    source = file(
        tmp_path,
        '{"id":1,"items":[{"n":"5"},{"n":"x"},{"n":"7"}]}\n{"id":2,"items":[]}\n',
        "t.jsonl",
    )
    unnest = "- unnest: {field: items, merge: true, index: no}\n"
    more: tuple[str, ...] = ("--map", file(tmp_path, unnest + "- cast: {n: integer}\n", "m.yaml"))
    summary = ingested(source, sink, *more, "--max_dead", "100%", table="t", key="id,no")
    outcomes = ("read", "expanded", "inserted", "dead", "filtered")
    assert [summary[name] for name in outcomes] == [2, 2, 2, 1, 1]
    assert audit(sink) == 0
    fixed = "- compute: {n: 'to_number(n)'}\n- default: {n: 6}\n- cast: {n: integer}\n"
    more = ("--map", file(tmp_path, unnest + fixed, "fixed.yaml"))
    assert dead_letters("replay", "--sink", sink, "--reason", "x") == 0
    ingested(source, sink, *more, table="t", key="id,no")
    assert query(sink, "SELECT * FROM t ORDER BY no") == [(1, 0, 5), (1, 1, 6), (1, 2, 7)]
    assert audit(sink) == 0


def test_records_of_an_array_without_a_key_have_their_number(tmp_path: Path) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    source = file(tmp_path, '{"id":1,"items":["a","b"]}\n', "t.jsonl")
    more = ("--map", file(tmp_path, "- unnest: items\n", "m.yaml"))
    ingested(source, sink, *more, table="t", key=None)
    rows = query(sink, "SELECT ingest_element, payload FROM t ORDER BY 1")
    assert [(number, json.loads(text)["items"]) for number, text in rows] == [(0, "a"), (1, "b")]


@pytest.mark.parametrize("header", ["Customer ID,x", "id,x", "x,y"])
def test_a_header_needs_a_name_of_the_mapping_or_of_the_table(
    header: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    query(sink, "CREATE TABLE customers (id integer PRIMARY KEY, x text, y text)")
    source = file(tmp_path, f"{header}\n1,2\n", "c.csv")
    more: tuple[str, ...] = ("--map", file(tmp_path, "- rename: {Customer ID: id}\n", "m.yaml"))
    assert ingest(source, sink, *more, "--max_dead", "100%", table="customers") == 0
    (tmp_path / "d.csv").write_text("Ann,Berlin\nBob,Rome\n")
    assert ingest(f"{tmp_path}/d.csv", sink, *more, table="customers") == 2
    assert "does not look like a header" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("- rename: {a: b}\n- cast: {b: int}\n", "m.yaml:2:13: int is no type; there are integer"),
        ("- set: {a: @now}\n", "m.yaml:1:12: not YAML"),
        ("- hash: {a: {hmac: env:NO_SUCH_KEY}}\n", "environment variable NO_SUCH_KEY is not set"),
        (None, "cannot read "),
    ],
)
def test_a_mapping_that_cannot_be_used_is_one_line_and_exit_2(
    mapping: str | None, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.yaml"
    if mapping is not None:
        path.write_text(mapping)
    source = file(tmp_path, '{"id":1}\n', "t.jsonl")
    assert ingest(source, f"sqlite:///{tmp_path}/t.db", "--map", str(path)) == 2
    (line,) = printed(capfd.readouterr().err)
    assert message in line
    assert not (tmp_path / "t.db").exists()


def test_the_content_of_a_mapping_is_part_of_the_version(tmp_path: Path) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    for number, mapping in enumerate(("- cast: {n: integer}", "- cast: {n: decimal}")):
        source = file(tmp_path, f'{{"id":{number},"n":"x"}}\n', f"{number}.jsonl")
        more: tuple[str, ...] = (
            "--map",
            file(tmp_path, mapping, f"{number}.yaml"),
            "--max_dead",
            "100%",
        )
        ingested(source, sink, *more, table="t")
    versions = query(sink, "SELECT version FROM ingest_jobs")
    assert len(set(versions)) == 2


def test_a_typed_source_is_mapped_with_its_types(sink: str, tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "ID": pa.array([1, 2], pa.int64()),
        "x": pa.array([1.5, float("nan")], pa.float64()),
        "at": pa.array([1718000000123, None], pa.timestamp("ms")),
        "u": pa.array([{"c": "B"}] * 2, pa.struct([pa.field("c", pa.string())])),
    }
    table = pa.Table.from_arrays(list(columns.values()), names=list(columns))
    pq.write_table(table, tmp_path / "t.parquet")
    query(sink, "CREATE TABLE t (id integer PRIMARY KEY, x numeric, at timestamp, c text)")
    mapping = (
        "- rename: {ID: id}\n- path: {c: u.c}\n- drop: [u]\n- cast: {x: decimal, at: timestamp}\n"
    )
    more: tuple[str, ...] = ("--map", file(tmp_path, mapping, "m.yaml"), "--max_dead", "100%")
    ingested(f"{tmp_path}/t.parquet", sink, *more, table="t")
    assert query(sink, "SELECT id, c FROM t WHERE x = 1.5 AND at IS NOT NULL") == [(1, "B")]
    assert dead(sink) == [("map", "mapping", "cast x: nan is not a decimal number")]
    repaired = "- rename: {ID: id}\n- path: {c: u.c}\n- drop: [u, x]\n- cast: {at: timestamp}\n"
    more = ("--map", file(tmp_path, repaired, "n.yaml"))
    assert dead_letters("replay", "--sink", sink, "--reason", "x") == 0
    ingested(f"{tmp_path}/t.parquet", sink, *more, table="t")
    assert query(sink, "SELECT id, c FROM t WHERE x IS NULL") == [(2, "B")]
