"""What is proposed for topics of a schema registry, and for change events, loads them whole."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fastavro

from tests.io.clients.registry.servers import Answer, Asked, serving
from tests.pipelines.proposal.proposed import document, propose, rows, run
from tests.services.kafka_broker import KafkaBroker, Topics

DAY = {"type": "int", "logicalType": "date"}
KEY = {"type": "record", "name": "K", "fields": [{"name": "id", "type": "long"}]}
VALUE = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "day", "type": ["null", DAY], "default": None, "doc": "When it was."},
        {"name": "never", "type": ["null", "string"], "default": None},
    ],
}


def wire(number: int, schema: dict[str, Any], record: dict[str, Any]) -> bytes:
    raw = io.BytesIO(b"\0" + number.to_bytes(4, "big"))
    raw.seek(5)
    fastavro.schemaless_writer(raw, fastavro.parse_schema(schema), record)
    return raw.getvalue()


def test_a_topic_of_a_registry_gets_the_table_of_its_subject(
    kafka_broker: KafkaBroker, topic: Topics, tmp_path: Path
) -> None:
    name = topic()
    kafka_broker.produce(
        name,
        [
            (wire(1, KEY, {"id": n}), wire(2, VALUE, {"id": n, "day": n, "never": None}))
            for n in (3, 4, 3)
        ],
    )
    schemas = {"/schemas/ids/1": KEY, "/schemas/ids/2": VALUE}
    schemas[f"/subjects/{name}-value/versions/latest"] = VALUE

    def answer(asked: Asked) -> Answer:
        schema = schemas.get(asked.path.partition("?")[0])
        return 200, [] if schema is None else {"id": 2, "schema": json.dumps(schema)}

    uri = f"kafka://{kafka_broker.bootstrap}/{name}"
    with serving(answer) as registry:
        file = propose(uri, tmp_path, "--table", "t", "--schema_registry", registry.url)
        said = document(file)
        assert said["schema_registry"] == registry.url
        assert said["schema"] == f"registry:{name}-value"
        assert said["key"] == "@key.id"
        figures = run(file, tmp_path)
    assert (figures["inserted"], figures["dead"]) == (2, 0)
    assert sorted((row["id"], row["day"], row["never"]) for row in rows(file, tmp_path)) == [
        (3, "1970-01-04", None),
        (4, "1970-01-05", None),
    ]


def change(op: str, number: int, lsn: int) -> tuple[bytes, bytes]:
    row = {"id": number, "note": f"at {lsn}"}
    value = {
        "before": row if op == "d" else None,
        "after": None if op == "d" else row,
        "source": {"connector": "postgresql", "lsn": lsn},
        "op": op,
        "ts_ms": lsn,
    }
    return json.dumps({"id": number}).encode(), json.dumps(value).encode()


def test_change_events_are_taken_out_and_deletes_carried_out(
    kafka_broker: KafkaBroker, topic: Topics, tmp_path: Path
) -> None:
    name = topic()
    created = [change("c", number, number) for number in range(5)]
    gone = change("d", 3, 20)
    messages: list[tuple[bytes | None, bytes | None]] = [
        *created,
        change("u", 1, 10),
        gone,
        (gone[0], None),
    ]
    kafka_broker.produce(name, messages)
    file = propose(f"kafka://{kafka_broker.bootstrap}/{name}", tmp_path, "--table", "t")
    said = document(file)
    options = ("envelope", "key", "on_conflict", "on_delete")
    assert [said[option] for option in options] == [
        "debezium",
        "@key.id",
        "newest:@position",
        "delete",
    ]
    assert said["schema"]["properties"].keys() == {"id", "note"}
    figures = run(file, tmp_path)
    assert (figures["dead"], figures["retrying"], figures["deleted"]) == (0, 0, 1)
    kept = sorted((row["id"], row["note"]) for row in rows(file, tmp_path))
    assert kept == [(0, "at 0"), (1, "at 10"), (2, "at 2"), (4, "at 4")]
