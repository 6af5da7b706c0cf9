"""An edit changes one record, keeps what it was, and lets no mask become data."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.bulk import edits
from sinks.bulk.edits import Edited, before, edit, history, original
from sinks.database.engine import transaction
from sinks.database.tables import pipelines, queue
from sinks.jobs import audit_trail
from sinks.jobs.audit_trail import Reveal
from sinks.jobs.store import get_job
from sinks.ledger.hidden_fields import HiddenFields
from sinks.table.config import SqlConfig
from tests.io.sinks.jobs.stored_jobs import counted, prepared, refuse_audit, store, stored, trail
from tests.io.sinks.tested_database import Database, await_lock
from tests.pipelines.commands import ingest
from tests.pipelines.tables import query
from transforms.errors import ConfigError, SinkFailed

RAW = b'{"id": 1, "age": "x"}'
BETTER = b'{"id": 1, "age": 7}'
SECRET = b'{"id": 1, "card": "4711-0815", "age": "x"}'
DIGEST = sha256(RAW).hexdigest()


def change(config: SqlConfig, job: int, raw: bytes = BETTER, **more: Any) -> Edited:
    """Edit a job whose bytes are what they are now, unless ``expected_digest`` says otherwise."""
    digest = sha256(stored(config, "raw")[job - 1]).hexdigest()
    options = {"expected_digest": digest, "actor": "ann", "reason": "a typo", **more}
    return edit(config.database, job, raw, **options)


def hide(config: SqlConfig, *names: str) -> None:
    """Let the pipeline hide these fields."""
    text = HiddenFields.of(tuple((name,) for name in names), "1").as_text()
    with transaction(config.database, "test") as connection:
        connection.execute(sa.delete(pipelines))
        row = {"name": "events", "target": "events", "hidden": text}
        connection.execute(sa.insert(pipelines), row)


class TestEdit:
    @pytest.mark.parametrize("state", ["discarded", "cancelled", "retryable", "available"])
    def test_the_bytes_change_and_those_of_before_are_kept(
        self, database: Database, state: str
    ) -> None:
        config = prepared(database)
        store(config, {"raw": RAW, "state": state})
        figures = counted(config)
        assert change(config, 1) == Edited(1, ["age"], None, False)
        assert stored(config, "raw", "state", "replays") == [(BETTER, state, 0)]
        assert change(config, 1, b'{"id": 1}').fields == ["age"]
        first, second = history(config.database, 1)
        assert (first.actor, first.reason, first.fields) == ("ann", "a typo", ["age"])
        assert (first.size, second.size) == (len(RAW), len(BETTER))
        kept = original(config.database, 1)
        assert kept is not None
        assert kept.failure.raw == RAW
        later = before(config.database, second.id)
        assert later is not None
        assert later.failure.raw == BETTER
        assert counted(config) == figures
        newest, _ = audit_trail.entries(config.database)
        assert (newest.action, newest.actor, newest.count) == ("edit", "ann", 1)
        assert newest.filter == {"ids": [1], "fields": ["age"]}

    def test_a_dead_letter_is_replayed_with_it(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"raw": RAW, "replays": 9}, {"raw": RAW})
        assert change(config, 1, replay=True).replayed
        assert stored(config, "raw", "state") == [(BETTER, "available"), (RAW, "discarded")]
        assert trail(config) == [("edit", 1), ("replay", 1)]
        assert counted(config) == (1, 1)

    def test_the_queue_knows_the_new_size(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"raw": RAW, "state": "available"})
        change(config, 1, BETTER + b" " * 1_000)
        with transaction(config.database, "test", write=False) as connection:
            assert connection.scalar(sa.select(queue.c.bytes)) == len(BETTER) + 1_000

    def test_the_trail_names_fields_and_no_values(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"raw": RAW})
        change(config, 1, b'{"id": 1, "age": "very private", "more": 1}')
        (entry,) = audit_trail.entries(config.database)
        assert entry.filter["fields"] == ["age", "more"]
        assert "private" not in str(entry)

    def test_what_cannot_be_parsed_is_stored_and_said_to_be_so(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"raw": RAW})
        problem = change(config, 1, b'{"id": ').problem
        assert problem is not None
        assert "ends" in problem
        assert stored(config, "raw") == [b'{"id": ']

    def test_nothing_is_changed_without_its_trail(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"raw": RAW})
        refuse_audit(database)
        with pytest.raises(SinkFailed, match="not today"):
            change(config, 1, replay=True)
        assert stored(config, "raw", "state") == [(RAW, "discarded")]
        assert history(config.database, 1) == []


class TestRefused:
    @pytest.mark.parametrize(
        ("kind", "more", "said"),
        [
            ({"state": "executing"}, {}, "job 1 is executing"),
            ({"state": "completed"}, {}, "job 1 is completed"),
            ({"state": "suspended"}, {}, "job 1 is suspended"),
            ({"state": "retryable"}, {"replay": True}, "tried without a replay"),
            ({}, {"reason": " "}, "needs a reason"),
            ({}, {"raw": RAW}, "nothing is changed"),
            ({}, {"raw": b"x" * 101, "max_bytes": 100}, "would have 101 bytes, limit 100"),
            ({}, {"expected_digest": "0" * 64}, "changed the record meanwhile"),
            ({"stage": "read", "raw": b""}, {}, "no record to edit"),
            ({"stage": "read", "exception": "RecordTooLarge"}, {}, "only the head"),
        ],
    )
    def test_in_one_line(
        self, database: Database, kind: dict[str, Any], more: dict[str, Any], said: str
    ) -> None:
        config = prepared(database)
        row = {"raw": RAW, **kind}
        store(config, row)
        options = {"raw": BETTER, **more}
        with pytest.raises(ConfigError, match=said):
            change(config, 1, **options)
        assert stored(config, "raw", "state") == [(row["raw"], row.get("state", "discarded"))]
        assert trail(config) == []
        assert history(config.database, 1) == []

    def test_a_job_that_is_not_there(self, database: Database) -> None:
        options: dict[str, Any] = {"expected_digest": DIGEST, "actor": "ann", "reason": "r"}
        for config in (database.config(), prepared(database)):
            with pytest.raises(ConfigError, match="there is no job 7"):
                edit(config.database, 7, BETTER, **options)
        assert history(config.database, 7) == []
        assert original(config.database, 7) is None
        assert before(config.database, 7) is None

    def test_more_edits_than_are_kept(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(edits, "MOST_EDITS", 1)
        config = prepared(database)
        store(config, {"raw": RAW})
        change(config, 1)
        with pytest.raises(ConfigError, match="edited 1 times already"):
            change(config, 1, b"{}")
        assert stored(config, "raw") == [BETTER]

    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            (b'{"a": 1}', "an array of the row and its types"),
            (b'[{"a": "abc"}, {"a": "bytes"}]', "cannot be read"),
            (b"not json", "cannot be read"),
            (b'[{"a": "/w=="}, {}]', "whose types stay: a"),
            (b'[{"a": 1.5}, {"a": "float"}]', "whose types stay: a"),
        ],
    )
    def test_what_is_no_typed_row_in_place_of_one(
        self, database: Database, raw: bytes, said: str
    ) -> None:
        config = prepared(database)
        row = b'[{"a":"/w=="},{"a":"bytes"}]'
        store(config, {"raw": row, "format": '{"name":"parquet"}'})
        with pytest.raises(ConfigError, match=said):
            change(config, 1, raw)
        assert change(config, 1, b'[{"a":"/g==","b":1},{"a":"bytes"}]').fields == ["a", "b"]


class TestRaces:
    def test_of_two_editors_who_saw_the_same_one_is_refused(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"raw": RAW})

        def change_to(raw: bytes) -> str:
            try:
                change(config, 1, raw, expected_digest=DIGEST)
            except ConfigError as error:
                return str(error)
            return "done"

        with ThreadPoolExecutor(4) as threads:
            said = sorted(threads.map(change_to, (b'{"id": %d}' % each for each in range(4))))
        assert said[:1] + sorted(set(said[1:])) == [
            "done",
            "somebody has changed the record meanwhile; look at it again",
        ]
        assert len(history(config.database, 1)) == 1

    def test_a_job_that_is_being_taken_is_left_to_its_attempt(self, postgres: Database) -> None:
        config = prepared(postgres)
        store(config, {"raw": RAW, "state": "available"})
        with closing(postgres.connect()) as other:
            other.cursor().execute("DELETE FROM ingest_queue WHERE job = 1")
            with pytest.raises(ConfigError, match="job 1 is executing"):
                change(config, 1)
            other.rollback()
        assert change(config, 1).fields == ["age"]

    def test_it_waits_for_who_changes_the_job(self, postgres: Database) -> None:
        config = prepared(postgres)
        store(config, {"raw": RAW})
        with ThreadPoolExecutor() as threads, closing(postgres.connect()) as other:
            other.cursor().execute("UPDATE ingest_jobs SET raw = '{}' WHERE id = 1")
            editing = threads.submit(change, config, 1, expected_digest=DIGEST)
            await_lock(postgres)
            other.commit()
            with pytest.raises(ConfigError, match="meanwhile"):
                editing.result(30)


class TestHiddenFields:
    def test_an_edit_without_seeing_them_is_refused(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"raw": SECRET})
        hide(config, "card")
        job = get_job(config.database, 1)
        assert job is not None
        masked = job.failure.raw.replace(b'"x"', b"7")
        assert b"***" in masked
        with pytest.raises(ConfigError, match="hidden fields"):
            change(config, 1, masked, expected_digest=job.preview.digest)
        assert stored(config, "raw") == [SECRET]
        assert trail(config) == []

    def test_a_mask_is_never_stored_as_data(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"raw": SECRET})
        hide(config, "card")
        with pytest.raises(ConfigError, match=r"has \*\*\*"):
            change(config, 1, SECRET.replace(b"4711-0815", b"***"), revealed=True)
        assert stored(config, "raw") == [SECRET]

    def test_revealed_they_are_edited_with_an_entry_for_that(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"raw": SECRET})
        hide(config, "card")
        edited = change(config, 1, SECRET.replace(b'"x"', b"7"), revealed=True)
        assert edited.fields == ["age"]
        assert trail(config) == [("reveal", 1), ("edit", 1)]
        assert stored(config, "raw") == [SECRET.replace(b'"x"', b"7")]

    def test_what_was_before_is_masked_unless_revealed(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"raw": SECRET})
        hide(config, "card")
        number = change(config, 1, b'{"id": 1}', revealed=True).id
        for seen in (original(config.database, 1), before(config.database, number)):
            assert seen is not None
            assert seen.state == "masked"
            assert b"4711" not in seen.failure.raw
        revealed = original(config.database, 1, reveal=Reveal("bob", "an audit"))
        assert revealed is not None
        assert revealed.failure.raw == SECRET
        assert trail(config)[-1] == ("reveal", 1)

    def test_what_is_wrong_quotes_nothing_hidden(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"raw": SECRET})
        hide(config, "card")
        problem = change(config, 1, b'{"card": 4711-0815', revealed=True).problem
        assert problem is not None
        assert "4711" not in problem

    def test_a_record_without_any_of_them_is_edited_as_any(self, database: Database) -> None:
        config = prepared(database)
        store(config, {"raw": RAW})
        hide(config, "card")
        assert change(config, 1).fields == ["age"]
        assert trail(config) == [("edit", 1)]


@pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.integration)]
)
def test_the_next_run_writes_the_edited_record_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sink = f"sqlite:///{tmp_path}/a.db"
    if kind == "postgres":
        sink = request.getfixturevalue("postgres_url")
    config = SqlConfig.of(sink, "events", key=["id"])
    (tmp_path / "in.jsonl").write_bytes(b'{"id":1,"age":1}\n{"id":2,"age":\n{"id":3,"age":3}\n')
    schema = tmp_path / "schema.json"
    schema.write_text('{"properties":{"id":{"type":"integer"},"age":{"type":"integer"}}}')
    more = ("--schema", str(schema))
    assert ingest(tmp_path / "in.jsonl", sink, *more) == 0
    assert counted(config) == (1, 0)
    assert change(config, 1, b'{"id":2,"age":20}', replay=True).problem is None
    assert counted(config) == (0, 1)
    for _ in range(2):
        assert ingest(tmp_path / "in.jsonl", sink, *more) == 0
        assert query(sink, "SELECT id, age FROM events ORDER BY id") == [(1, 1), (2, 20), (3, 3)]
        assert counted(config) == (0, 0)
    assert stored(config, "state") == ["completed"]
    kept = original(config.database, 1)
    assert kept is not None
    assert kept.failure.raw == b'{"id":2,"age":'
