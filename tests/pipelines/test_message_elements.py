"""Messages that hold several records: rows, counts, replays and kills, from a real broker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipelines import command
from pipelines.operation.verdicts import verdicts
from tests.pipelines.commands import arguments, audit, dead_letters, ingest, ingested, printed
from tests.pipelines.programs import running, wait_for_rows
from tests.pipelines.tables import query
from tests.services.kafka_broker import KafkaBroker, Topics

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ALL = ("--max_dead", "100%")
ARRAY = ("--json_layout", "array")


@pytest.fixture
def uri(kafka_broker: KafkaBroker, topic: Topics) -> str:
    """A topic with one partition."""
    return f"kafka://{kafka_broker.bootstrap}/{topic()}"


def produce(broker: KafkaBroker, uri: str, *values: bytes | list[Any]) -> None:
    texts = (value if isinstance(value, bytes) else json.dumps(value).encode() for value in values)
    broker.produce(uri.rpartition("/")[2], [(None, text) for text in texts])


def create_events(sink: str, key: str | None = "id") -> None:
    """The user's own table, if fields are the key; otherwise it is created by the ingest."""
    if key is not None:
        query(sink, "CREATE TABLE events (id bigint PRIMARY KEY)")


def objects(count: int, first: int = 0) -> list[dict[str, int]]:
    return [{"id": number} for number in range(first, first + count)]


def ledger(sink: str) -> dict[str, int]:
    """The counts of the only partition, which has to be whole."""
    (verdict,) = verdicts(sink, None)
    assert verdict.ok
    return {name: number for name, number in verdict.progress.counts if number}


def rows(sink: str, columns: str = "id") -> Sequence[tuple[Any, ...]]:
    return query(sink, f"SELECT {columns} FROM events ORDER BY {columns}")


class TestSizes:
    @pytest.mark.parametrize("key", ["id", None])
    def test_every_element_is_a_row_and_every_message_is_counted_once(
        self, kafka_broker: KafkaBroker, uri: str, sink: str, key: str | None
    ) -> None:
        create_events(sink, key)
        sizes, first = (1, 0, 3, 10_000, 10_001), 0
        for size in sizes:
            produce(kafka_broker, uri, objects(size, first))
            first += size
        produce(kafka_broker, uri, b'{"id":-1}')
        summary = ingested(uri, sink, *(() if key else ARRAY), key=key)
        counts = {"read": 6, "expanded": 10_001, "inserted": 10_005, "filtered": 1, "dead": 1}
        assert {name: summary[name] for name in counts} == counts
        assert ledger(sink) == counts
        assert audit(sink) == 0
        assert query(sink, 'SELECT "offset", element, category FROM ingest_jobs') == [
            (4, None, "too_many_elements")
        ]
        if key is None:
            place = "count(*), count(DISTINCT ingest_element), max(ingest_element)"
            assert query(sink, f"SELECT {place} FROM events") == [(10_005, 10_000, 9_999)]
        else:
            assert query(sink, "SELECT count(*), min(id), max(id) FROM events") == [
                (10_005, -1, 10_003)
            ]
        assert ingested(uri, sink, *(() if key else ARRAY), key=key)["read"] == 0

    def test_the_audit_shows_the_sum(
        self, kafka_broker: KafkaBroker, uri: str, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        produce(kafka_broker, uri, objects(3), objects(2, 3))
        ingested(uri, sink)
        capsys.readouterr()
        assert audit(sink) == 0
        assert "2 read + 3 expanded = 5 inserted + 0 updated" in capsys.readouterr().out


class TestDeadLetters:
    @pytest.mark.parametrize("key", ["id", None])
    def test_of_one_element_is_replayed_alone(
        self,
        kafka_broker: KafkaBroker,
        uri: str,
        sink: str,
        tmp_path: Path,
        key: str | None,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        create_events(sink, key)
        for name, limit in (("strict", 5), ("lax", 100)):
            (tmp_path / name).write_text(
                json.dumps({"properties": {"id": {"type": "integer", "maximum": limit}}})
            )
        produce(kafka_broker, uri, objects(3), [{"id": 3}, {"id": 70}, {"id": 4}], [{"id": 71}])
        strict = (*ARRAY, *ALL, "--schema", str(tmp_path / "strict"))
        assert ingested(uri, sink, *strict, key=key)["dead"] == 2
        assert query(sink, 'SELECT "offset", element, raw FROM ingest_jobs ORDER BY id') == [
            (1, 1, b'{"id": 70}'),
            (2, 0, b'{"id": 71}'),
        ]
        assert ledger(sink) == {"read": 3, "expanded": 4, "inserted": 5, "dead": 2}
        capsys.readouterr()
        assert dead_letters("list", "--sink", sink) == 0
        assert "@1[1]" in capsys.readouterr().out
        job = query(sink, "SELECT min(id) FROM ingest_jobs")[0][0]
        assert dead_letters("replay", "--id", str(job), "--sink", sink, "--reason", "v2") == 0
        lax = (*ARRAY, *ALL, "--schema", str(tmp_path / "lax"))
        summary = ingested(uri, sink, *lax, key=key)
        assert (summary["attempts"], summary["inserted"], summary["expanded"]) == (1, 1, 0)
        assert rows(sink) == [(0,), (1,), (2,), (3,), (4,), (70,)]
        assert ledger(sink) == {"read": 3, "expanded": 4, "inserted": 6, "dead": 1}

    def test_of_an_element_that_is_not_json_and_of_a_broken_message(
        self, kafka_broker: KafkaBroker, uri: str, sink: str
    ) -> None:
        create_events(sink)
        produce(
            kafka_broker, uri, b'[{"id":1},{"id":},{"id":3}]', b'[{"id":4},{"id":5}', objects(1)
        )
        ingested(uri, sink, *ALL)
        assert rows(sink) == [(0,), (1,), (3,)]
        jobs = query(sink, 'SELECT "offset", element, stage, category FROM ingest_jobs ORDER BY id')
        assert sorted(jobs) == [(0, 1, "parse", "malformed"), (1, None, "read", "malformed")]
        assert ledger(sink) == {"read": 3, "expanded": 2, "inserted": 3, "dead": 2}


class TestKilled:
    def test_a_run_that_is_killed_in_its_middle_leaves_no_half_message(
        self, kafka_broker: KafkaBroker, uri: str, sink: str
    ) -> None:
        messages, size = 120, 500
        produce(kafka_broker, uri, *(objects(size, size * n) for n in range(messages)))
        with running(arguments(uri, sink, *ARRAY, key=None)) as process:
            wait_for_rows(process, sink, 1)
            process.kill()
            process.wait()
        before = query(sink, "SELECT count(*) FROM events")[0][0]
        assert 0 < before < messages * size, "it was not killed in its middle"
        halves = "SELECT count(*) FROM events GROUP BY ingest_offset HAVING count(*) <> 500"
        assert query(sink, halves) == []
        summary = ingested(uri, sink, *ARRAY, key=None)
        assert (summary["duplicates"], summary["inserted"]) == (0, messages * size - before)
        counts = "count(*), count(DISTINCT ingest_offset), sum(ingest_element)"
        total = messages * sum(range(size))
        assert query(sink, f"SELECT {counts} FROM events") == [(messages * size, messages, total)]
        expanded = messages * (size - 1)
        assert ledger(sink) == {
            "read": messages,
            "expanded": expanded,
            "inserted": messages * size,
        }
        assert audit(sink) == 0


class TestTables:
    def test_a_table_without_a_column_for_the_number_is_refused_before_anything_is_written(
        self, uri: str, sink: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        origin = "ingest_source text, ingest_partition text, ingest_offset bigint"
        unique = "UNIQUE (ingest_source, ingest_partition, ingest_offset)"
        query(sink, f"CREATE TABLE events ({origin}, id bigint, {unique})")
        assert ingest(uri, sink, *ARRAY, key=None) == command.USAGE
        (line,) = printed(capsys.readouterr().err)
        assert "table events has no column ingest_element" in line
        assert "give --key FIELD" in line
        assert query(sink, "SELECT count(*) FROM events") == [(0,)]

    def test_a_table_with_that_column_takes_files_as_well(
        self, kafka_broker: KafkaBroker, uri: str, sink: str, tmp_path: Path
    ) -> None:
        produce(kafka_broker, uri, objects(2))
        ingested(uri, sink, *ARRAY, key=None)
        (tmp_path / "in.jsonl").write_text('{"id":8}\n{"id":9}\n')
        assert ingested(tmp_path / "in.jsonl", sink, key=None)["inserted"] == 2
        places = query(sink, "SELECT ingest_offset, ingest_element FROM events ORDER BY 1, 2")
        assert sorted(places) == [(0, 0), (0, 0), (0, 1), (9, 0)]


class TestOtherFormats:
    def test_lines_of_csv(self, kafka_broker: KafkaBroker, uri: str, sink: str) -> None:
        produce(kafka_broker, uri, b"1;a\n2;b\n", b"3;c", b"4\n5;e")
        csv = ("--format", "csv", "--csv_columns", "id,name", "--csv_delimiter", ";")
        query(sink, "CREATE TABLE events (id bigint PRIMARY KEY, name text)")
        assert ingested(uri, sink, *csv, *ALL)["inserted"] == 4
        assert rows(sink, "id, name") == [(1, "a"), (2, "b"), (3, "c"), (5, "e")]
        assert query(sink, 'SELECT "offset", element FROM ingest_jobs') == [(2, 0)]
        assert ledger(sink) == {"read": 3, "expanded": 2, "inserted": 4, "dead": 1}

    def test_lines_of_json(self, kafka_broker: KafkaBroker, uri: str, sink: str) -> None:
        produce(kafka_broker, uri, b'{"id":1}\n{"id":2}\n', b'{"id":3}')
        ingested(uri, sink, "--json_layout", "lines")
        assert ledger(sink) == {"read": 2, "expanded": 1, "inserted": 3}

    def test_text(self, kafka_broker: KafkaBroker, uri: str, sink: str) -> None:
        produce(kafka_broker, uri, b"[not json", b"\xff", "Grüße\n".encode())
        ingested(uri, sink, "--format", "text", *ALL, key=None)
        assert rows(sink, "ingest_offset, payload") == [(0, "[not json"), (2, "Grüße\n")]
        assert query(sink, "SELECT category FROM ingest_jobs") == [("invalid_utf8",)]
        query(sink, "UPDATE ingest_jobs SET raw = " + _bytes(sink, "6f6b"))
        assert (
            dead_letters(
                "replay", "--sink", sink, "--category", "invalid_utf8", "--reason", "repaired"
            )
            == 0
        )
        ingested(uri, sink, "--format", "text", *ALL, key=None)
        assert rows(sink, "ingest_offset, payload")[1] == (1, "ok")


def _bytes(sink: str, digits: str) -> str:
    return f"X'{digits}'" if sink.startswith("sqlite") else f"decode('{digits}', 'hex')"
