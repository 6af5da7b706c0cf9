"""What is proposed for files of all sorts loads them whole."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastavro
import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka.admin import AdminClient

from pipelines import command
from pipelines.proposal.init import main
from tests.io.clients.registry.servers import Answer, Asked, serving
from tests.pipelines.proposal.proposed import document, properties, propose, rows, run
from tests.services.kafka_broker import KafkaBroker, Topics

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Write = Callable[[Path], None]


def text(content: str, encoding: str = "utf-8") -> Write:
    return packed(content.encode(encoding))


def packed(content: bytes) -> Write:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def lines(*values: Any) -> Write:
    return text("".join(json.dumps(value) + "\n" for value in values))


def parquet(path: Path) -> None:
    columns = {
        "id": [1, 2],
        "price": [Decimal("1.50"), None],
        "score": [0.5, 0.25],
        "at": [datetime(2026, 1, 2, 3, tzinfo=UTC), datetime(2026, 1, 3)],
        "tags": [["a"], []],
    }
    pq.write_table(pa.table(columns), path)


STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}

CASES: dict[str, tuple[str, Write, tuple[str, ...], int, dict[str, dict[str, Any]]]] = {
    "leading zeros": (
        "customers.csv",
        text("id,zip,phone,agent\n1,01067,0301234,007\n2,10115,0401234,8\n"),
        ("id",),
        2,
        {"id": INTEGER, "zip": STRING, "phone": STRING, "agent": STRING},
    ),
    "semicolons and decimals in German": (
        "preise.csv",
        text("nr;preis;datum\n1;1.234,50;31.12.2026\n2;0,99;01.01.2026\n"),
        (),
        2,
        {"nr": INTEGER, "preis": STRING, "datum": STRING},
    ),
    "a header that is missing": (
        "bare.csv",
        text("1,Ann,2026-01-02\n2,Bob,2026-01-03\n"),
        (),
        2,
        {"column_1": INTEGER, "column_2": STRING, "column_3": {"type": "string", "format": "date"}},
    ),
    "newlines in quotes": (
        "notes.csv",
        text('id,note\n1,"a\nb"\n2,"c, d ""e"""\n'),
        ("id",),
        2,
        {"id": INTEGER, "note": STRING},
    ),
    "UTF-16 of a spreadsheet": (
        "excel.csv",
        text("id\tName\r\n1\tÄnne\r\n2\tBøb\r\n", "utf-16"),
        ("id",),
        2,
        {"id": INTEGER, "Name": STRING},
    ),
    "UTF-8 with a byte order mark": (
        "bom.csv",
        text("id,name\n1,Ä\n", "utf-8-sig"),
        ("id",),
        1,
        {"id": INTEGER, "name": STRING},
    ),
    "empty cells": (
        "gaps.csv",
        text("id,count,day,note,never\n1,,,,\n2,7,2026-01-02,x,\n"),
        ("id",),
        2,
        {
            "id": INTEGER,
            "count": {"type": ["integer", "null"]},
            "day": {"type": ["string", "null"], "format": "date"},
            "note": STRING,
            "never": {"type": ["string", "null"]},
        },
    ),
    "empty cells in quotes": (
        "quoted.csv",
        text('"id","n","note"\n"1","","x"\n"2","7",""\n'),
        ("id",),
        2,
        {"id": INTEGER, "n": STRING, "note": STRING},
    ),
    "times since 1970, long numbers and scientific notation": (
        "times.csv",
        text("id,created_at,card,value\n1,1767225600,4111111111111111,1.5e3\n2,1767225601,1,2\n"),
        ("id",),
        2,
        {"id": INTEGER, "created_at": INTEGER, "card": STRING, "value": NUMBER},
    ),
    "names that occur twice, or in capitals too, or not at all": (
        "twice.csv",
        text("id,name,name,ID,\n1,a,b,c,5\n2,d,e,f,6\n"),
        ("id",),
        2,
        {"id": INTEGER, "name": STRING, "name_2": STRING, "id_2": STRING, "column_5": STRING},
    ),
    "hostile names": (
        "hostile.csv",
        text(
            'id,"a: b #",\'x\',"; DROP TABLE t; --",yes,größe,日本,"tab\there",{a}\n1,2,3,4,5,6,7,8,9\n'
        ),
        ("id",),
        1,
        {
            "id": INTEGER,
            "a: b #": INTEGER,
            "'x'": INTEGER,
            "; DROP TABLE t; --": INTEGER,
            "yes": INTEGER,
            "größe": INTEGER,
            "日本": INTEGER,
            "tab_here": INTEGER,
            "{a}": INTEGER,
        },
    ),
    "objects within objects": (
        "nested.jsonl",
        lines({"id": "a", "user": {"x": 1}, "tags": [1]}, {"id": "b", "user": {}, "extra": None}),
        ("id",),
        2,
        {
            "id": STRING,
            "user": {"type": "object"},
            "tags": {"type": "array"},
            "extra": {"type": ["string", "null"]},
        },
    ),
    "an array": (
        "array.json",
        text('[{"id": 1, "ok": true},\n {"id": 2, "ok": false}]'),
        ("id",),
        2,
        {"id": INTEGER, "ok": {"type": "boolean"}},
    ),
    "mixed types": (
        "mixed.jsonl",
        lines(
            {"id": 1, "code": 7, "when": "2026-01-02", "any": 1, "n": 1},
            {"id": 2, "code": "x7", "when": "", "any": {"a": 1}, "n": 1.5},
            {"id": 3, "code": True, "when": "2026-01-03", "any": [2], "n": 2**64},
        ),
        ("id",),
        3,
        {"id": INTEGER, "code": STRING, "when": STRING, "any": {}, "n": NUMBER},
    ),
    "times": (
        "log.jsonl",
        lines(
            {
                "key": "5b1f5a44-2f6b-4b4e-8f0c-0d8a1c2b3d4e",
                "at": "2026-01-02T03:04:05.123Z",
                "local": "2026-01-02 03:04:05",
                "fine": "2026-01-02T03:04:05.123456789Z",
            }
        ),
        ("key",),
        1,
        {
            "key": {"type": "string", "format": "uuid"},
            "at": {"type": "string", "format": "date-time"},
            "local": STRING,
            "fine": STRING,
        },
    ),
    "Parquet": (
        "table.parquet",
        parquet,
        ("id",),
        2,
        {
            "id": INTEGER,
            "price": {"type": ["number", "null"]},
            "score": NUMBER,
            "at": {"type": "string", "format": "date-time"},
            "tags": {"type": "array"},
        },
    ),
    "gzip": (
        "packed.jsonl.gz",
        packed(gzip.compress(b'{"id": 1}\n{"id": 2}\n')),
        ("id",),
        2,
        {"id": INTEGER},
    ),
    "300 columns": (
        "wide.csv",
        text(
            ",".join(["id", *(f"c{n}" for n in range(299))])
            + "\n"
            + "".join(f"{row}," + ",".join(["007"] * 299) + "\n" for row in range(3))
        ),
        ("id",),
        3,
        {"id": INTEGER, **{f"c{n}": STRING for n in range(299)}},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_proposal_loads_every_record(case: str, tmp_path: Path) -> None:
    name, write, key, records, types = CASES[case]
    write(tmp_path / name)

    file = propose(tmp_path / name, tmp_path)

    said = document(file)
    assert properties(file) == types
    assert said.get("key", []) == (key[0] if len(key) == 1 else list(key))
    figures = run(file, tmp_path)
    assert (figures["inserted"], figures["dead"], figures["retrying"]) == (records, 0, 0)
    assert len(rows(file, tmp_path)) == records


def test_a_topic_is_sampled_without_a_trace(
    kafka_broker: KafkaBroker, topic: Topics, tmp_path: Path
) -> None:
    name = topic(2)
    kafka_broker.produce(
        name,
        [(f"k{n}".encode(), json.dumps({"id": n, "zip": f"0{n}"}).encode()) for n in range(50)],
    )
    uri = f"kafka://{kafka_broker.bootstrap}/{name}?group=shop&start=latest"

    file = propose(uri, tmp_path, "--table", "orders", "--sample", "40")

    said = document(file)
    assert (said["source"], said["key"], said["pipeline"]) == (uri, "id", "orders")
    assert properties(file) == {"id": INTEGER, "zip": STRING}
    assert "# 40 of 40 messages have a key" in file.read_text()
    client = AdminClient({"bootstrap.servers": kafka_broker.bootstrap})
    groups = client.list_consumer_groups().result().valid
    assert "shop" not in {group.group_id for group in groups}
    file.write_text(file.read_text().replace("&start=latest", "").replace("?group=shop", ""))
    figures = run(file, tmp_path)
    assert (figures["inserted"], figures["dead"]) == (50, 0)


def test_messages_that_are_arrays_are_read_element_by_element(
    kafka_broker: KafkaBroker, topic: Topics, tmp_path: Path
) -> None:
    name = topic()
    kafka_broker.produce(name, [(None, b'[{"a": 1}, {"a": 1}]'), (None, b'[{"a": 2}]')])
    file = propose(f"kafka://{kafka_broker.bootstrap}/{name}", tmp_path, "--table", "t")
    assert document(file)["json_layout"] == "array"
    assert "key" not in document(file)
    figures = run(file, tmp_path)
    assert (figures["inserted"], figures["dead"]) == (3, 0)


def test_a_topic_that_is_empty_or_missing_is_one_line(
    kafka_broker: KafkaBroker, topic: Topics, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, message in ((topic(), "has no records"), ("gone", "no topic gone at")):
        uri = f"kafka://{kafka_broker.bootstrap}/{name}"
        assert command.run("init", main, [uri, "--output", "-"]) == 2
        printed = capfd.readouterr()
        assert message in printed.err
        assert (printed.out, printed.err.count("\n")) == ("", 1)


def test_objects_are_sampled(s3: S3Client, bucket: str, s3_endpoint: str, tmp_path: Path) -> None:
    for part in range(2):
        body = gzip.compress(b"".join(b'{"id": "%d-%d"}\n' % (part, n) for n in range(3)))
        s3.put_object(Bucket=bucket, Key=f"events/{part}.jsonl.gz", Body=body)
    uri = f"s3://{bucket}/events/*.jsonl.gz"
    file = propose(uri, tmp_path, "--s3_endpoint_url", s3_endpoint)
    said = document(file)
    assert (said["table"], said["key"], said["s3_endpoint_url"]) == ("events", "id", s3_endpoint)
    figures = run(file, tmp_path)
    assert (figures["inserted"], figures["dead"]) == (6, 0)


SHARED = {
    "cr only": b"id,name\r1,Ann\r2,Bob\r",
    "an index without a name": b",id,name\n0,7,a\n1,8,b\n",
    "a comma at the end of the header": b"id,name,\n1,a,\n2,b,\n",
    "values one after another": b'{"id": 1}{"id": 2}',
    "indented": b'{\n  "id": 1\n}\n{\n  "id": 2\n}\n',
    "records that cannot be read": b'{"id": 1}\n{"id": \n{"id": 2}\n',
}


@pytest.mark.parametrize("case", SHARED)
def test_files_that_are_written_otherwise_are_loaded(case: str, tmp_path: Path) -> None:
    suffix = ".csv" if b"name" in SHARED[case] else ".json"
    (tmp_path / f"data{suffix}").write_bytes(SHARED[case])
    figures = run(propose(tmp_path / f"data{suffix}", tmp_path), tmp_path)
    assert (figures["inserted"], figures["dead"]) == (2, SHARED[case].count(b'"id": \n'))


STRICT: dict[str, tuple[Write, int, dict[str, str]]] = {
    "times.jsonl": (
        lines(
            {
                "id": 1,
                "at": "2026-01-02T03:04:05.123456+14:00",
                "day": "0001-01-01",
                "key": "5B1F5A44-2f6b-4b4e-8f0c-0d8a1c2b3d4e",
                "big": 2**70,
                "n": 2**63 - 1,
                "doc": {"a": [None]},
                "any": 1,
            },
            {"id": 2, "at": "9999-12-31T23:59:59Z", "day": None, "n": -(2**63), "any": [True]},
        ),
        2,
        {
            "id": "bigint",
            "at": "timestamp with time zone",
            "day": "date",
            "key": "uuid",
            "big": "numeric",
            "n": "bigint",
            "doc": "jsonb",
            "any": "jsonb",
        },
    ),
    "cells.csv": (
        text(
            "id,Amount,ok,when,zip,select,\n"
            "1,1.50,TRUE,2026-01-02T03:04:05Z,01067,a,\n"
            "2,,,,10115,,x\n"
            "3,-1e-3,false,2026-01-02T03:04:05.5-05:30,,,\n"
        ),
        3,
        {
            "id": "bigint",
            "Amount": "numeric",
            "ok": "boolean",
            "zip": "text",
            "when": "timestamp with time zone",
            "select": "text",
            "column_7": "text",
        },
    ),
    "table.parquet": (
        parquet,
        2,
        {
            "id": "bigint",
            "price": "numeric",
            "score": "numeric",
            "tags": "jsonb",
            "at": "timestamp with time zone",
        },
    ),
}


@pytest.mark.parametrize("name", STRICT)
def test_a_strict_database_takes_what_is_proposed(
    name: str, tmp_path: Path, postgres_url: str
) -> None:
    write, records, types = STRICT[name]
    write(tmp_path / name)
    file = propose(tmp_path / name, tmp_path, "--sink", postgres_url, "--table", "t")
    figures = run(file, tmp_path)
    assert (figures["inserted"], figures["dead"], figures["retrying"]) == (records, 0, 0)
    with closing(psycopg2.connect(postgres_url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 't'"
        )
        assert dict(cursor.fetchall()) == types


def test_messages_that_name_a_schema_of_a_registry_are_sampled(
    kafka_broker: KafkaBroker, topic: Topics, tmp_path: Path
) -> None:
    name = topic()
    at = {"type": "long", "logicalType": "timestamp-millis"}
    price = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    types = {"id": "long", "at": at, "price": price, "zip": "string"}
    fields = [{"name": field, "type": kind} for field, kind in types.items()]
    schema = {"type": "record", "name": "R", "fields": fields}
    messages: list[tuple[bytes | None, bytes]] = []
    for count in range(3):
        raw = io.BytesIO(b"\0\0\0\0\7")
        raw.seek(5)
        when = datetime(2026, 1, 2, tzinfo=UTC)
        record = {"id": count, "at": when, "price": Decimal("1.50"), "zip": "007"}
        fastavro.schemaless_writer(raw, fastavro.parse_schema(schema), record)
        messages.append((None, raw.getvalue()))
    kafka_broker.produce(name, messages)
    uri = f"kafka://{kafka_broker.bootstrap}/{name}"

    def answer(asked: Asked) -> Answer:
        named = asked.path.startswith("/schemas/ids/7")
        return 200, {"schema": json.dumps(schema)} if named else []

    with serving(answer) as registry:
        file = propose(uri, tmp_path, "--table", "t", "--schema_registry", registry.url)
        assert properties(file) == {
            "id": INTEGER,
            "at": {"type": "string", "format": "date-time"},
            "price": NUMBER,
            "zip": STRING,
        }
        figures = run(file, tmp_path)
    assert (figures["inserted"], figures["dead"]) == (3, 0)
