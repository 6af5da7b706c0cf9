"""What the writers of all databases do alike: conflicts, columns and refused records."""

from __future__ import annotations

from typing import Any

import pytest

from tests.io.sinks.tested_database import Database, counts, make_batch, make_failure

TABLE = "CREATE TABLE events (id integer PRIMARY KEY, name text, seen integer)"


class TestOnConflict:
    def test_ignore_keeps_the_first_in_a_batch(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        (settled,) = sink.commit(
            [make_batch([{"id": 1, "name": "a"}, {"id": 2}, {"id": 1, "name": "b"}])]
        )
        assert counts(settled) == {"read": 3, "inserted": 2, "duplicates": 1}
        assert database.rows("SELECT name FROM events WHERE id = 1") == [("a",)]

    def test_update_lays_later_fields_over_earlier_ones(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"], on_conflict="update")
        (settled,) = sink.commit(
            [
                make_batch(
                    [
                        {"id": 1, "name": "a", "seen": 1},
                        {"id": 2, "name": "x"},
                        {"id": 1, "name": "b"},
                    ]
                )
            ]
        )
        assert counts(settled) == {"read": 3, "inserted": 2, "updated": 1}
        assert database.rows("SELECT * FROM events ORDER BY id") == [
            (1, "b", 1),
            (2, "x", None),
        ]

    def test_update_leaves_the_columns_of_missing_fields_alone(self, database: Database) -> None:
        database.run(TABLE, "INSERT INTO events VALUES (1, 'a', 1), (2, 'b', 2)")
        sink = database.sink(key=["id"], on_conflict="update")
        (settled,) = sink.commit(
            [make_batch([{"id": 1, "seen": 9}, {"id": 2, "name": None}, {"id": 3, "name": "c"}])]
        )
        assert counts(settled) == {"read": 3, "inserted": 1, "updated": 2}
        assert database.rows("SELECT * FROM events ORDER BY id") == [
            (1, "a", 9),
            (2, None, 2),
            (3, "c", None),
        ]

    def test_newest_wins_in_any_order(self, database: Database) -> None:
        database.run(
            TABLE, "INSERT INTO events VALUES (1, 'old', 5), (2, 'old', 5), (3, 'old', NULL)"
        )
        sink = database.sink(key=["id"], on_conflict="newest:seen")
        (settled,) = sink.commit(
            [
                make_batch(
                    [
                        {"id": 1, "name": "newer", "seen": 10},
                        {"id": 1, "name": "new", "seen": 6},
                        {"id": 2, "name": "older", "seen": 4},
                        {"id": 3, "name": "dated", "seen": 1},
                        {"id": 4, "name": "first", "seen": 7},
                        {"id": 4, "name": "tie", "seen": 7},
                        {"id": 5, "name": "undated", "seen": None},
                    ]
                )
            ]
        )
        assert counts(settled) == {"read": 7, "inserted": 2, "updated": 2, "duplicates": 3}
        assert database.rows("SELECT id, name FROM events ORDER BY id") == [
            (1, "newer"),
            (2, "old"),
            (3, "dated"),
            (4, "first"),
            (5, "undated"),
        ]

    def test_newest_compares_numbers_as_numbers(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"], on_conflict="newest:seen")
        sink.commit([make_batch([{"id": 1, "seen": 9, "name": "a"}])])
        (settled,) = sink.commit([make_batch([{"id": 1, "seen": 10, "name": "b"}], source="other")])
        assert counts(settled) == {"read": 1, "updated": 1}

    def test_a_composite_key_is_compared_as_a_whole(self, database: Database) -> None:
        database.run("CREATE TABLE events (a text, b integer, c text, PRIMARY KEY (b, a))")
        sink = database.sink(key=["a", "b"], on_conflict="update")
        sink.commit([make_batch([{"a": "x", "b": 1, "c": "1"}, {"a": "x", "b": 2, "c": "2"}])])
        (settled,) = sink.commit(
            [make_batch([{"a": "x", "b": 1, "c": "3"}, {"a": "y", "b": 1}], source="other")]
        )
        assert counts(settled) == {"read": 2, "inserted": 1, "updated": 1}

    def test_a_table_of_nothing_but_its_key_has_nothing_to_update(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY)")
        sink = database.sink(key=["id"], on_conflict="update")
        sink.commit([make_batch([{"id": 1}])])
        (settled,) = sink.commit([make_batch([{"id": 1}, {"id": 2}], source="other")])
        assert counts(settled) == {"read": 2, "inserted": 1, "duplicates": 1}


class TestColumns:
    def test_a_missing_field_takes_the_default_and_null_does_not(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, name text DEFAULT 'none')")
        sink = database.sink(key=["id"])
        (settled,) = sink.commit(
            [make_batch([{"id": 1}, {"id": 2, "name": None}, {"id": 3, "name": "c"}, {"id": 4}])]
        )
        assert counts(settled) == {"read": 4, "inserted": 4}
        assert database.rows("SELECT * FROM events ORDER BY id") == [
            (1, "none"),
            (2, None),
            (3, "c"),
            (4, "none"),
        ]

    def test_a_field_without_a_column_rejects_its_record_only(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        (settled,) = sink.commit([make_batch([{"id": 1}, {"id": 2, "extra": 1}, {"id": 3}])])
        assert counts(settled) == {"read": 3, "inserted": 2, "dead": 1}
        (dead,) = settled.dead
        assert (dead.stage, dead.category, dead.origin.offset) == ("write", "unknown_field", 1)
        assert "extra" in dead.message
        assert dead.raw == b'{"id":2,"extra":1}'

    def test_unknown_fields_can_be_ignored(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"], unknown_fields="ignore")
        (settled,) = sink.commit([make_batch([{"id": 1, "extra": 1}, {"id": 2}])])
        assert counts(settled) == {"read": 2, "inserted": 2}

    def test_unknown_fields_can_be_gathered_in_payload(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, name text, payload json)")
        sink = database.sink(key=["id"], unknown_fields="payload")
        sink.commit([make_batch([{"id": 1, "name": "a", "x": 1, "y": [2]}, {"id": 2}])])
        rows = database.rows("SELECT id, name, CAST(payload AS text) FROM events ORDER BY id")
        assert rows == [(1, "a", '{"x":1,"y":[2]}'), (2, None, None)]

    @pytest.mark.parametrize("value", [{"name": "a"}, {"id": None, "name": "a"}])
    def test_a_record_without_its_key_is_rejected(
        self, database: Database, value: dict[str, Any]
    ) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        (settled,) = sink.commit([make_batch([{"id": 1, "name": "b"}, value])])
        assert counts(settled) == {"read": 2, "inserted": 1, "dead": 1}
        assert settled.dead[0].category == "key"

    def test_hostile_names_are_only_names(self, database: Database) -> None:
        database.run(
            'CREATE TABLE "we""ird %s; --" ("k""ey %(x)s" integer PRIMARY KEY, "a b:c?" text)'
        )
        sink = database.sink('we"ird %s; --', key=['k"ey %(x)s'], on_conflict="update")
        values = [{'k"ey %(x)s': i, "a b:c?": "v%s"} for i in range(3)]
        (settled,) = sink.commit([make_batch(values)])
        assert counts(settled) == {"read": 3, "inserted": 3}
        (settled,) = sink.commit([make_batch(values, source="other")])
        assert counts(settled) == {"read": 3, "updated": 3}

    def test_hostile_text_is_only_text(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, name text)")
        texts = ["", "\\N", "\\.", "a\tb", "a\nb", "a\r\n", "\\", "\\\\t", "'; DROP", "é🎉", "%s"]
        sink = database.sink(key=["id"])
        (settled,) = sink.commit([make_batch([{"id": i, "name": t} for i, t in enumerate(texts)])])
        assert settled.counts.inserted == len(texts)
        assert [row[0] for row in database.rows("SELECT name FROM events ORDER BY id")] == texts


class TestPoison:
    def test_a_bad_row_does_not_take_the_batch_down(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, name text NOT NULL)")
        sink = database.sink(key=["id"])
        values: list[dict[str, Any]] = [{"id": i, "name": "a"} for i in range(100)]
        for bad in (0, 17, 18, 99):
            values[bad]["name"] = None
        (settled,) = sink.commit([make_batch(values)])
        assert counts(settled) == {"read": 100, "inserted": 96, "dead": 4}
        assert [dead.origin.offset for dead in settled.dead] == [0, 17, 18, 99]
        assert {dead.category for dead in settled.dead} == {"constraint"}
        assert {dead.stage for dead in settled.dead} == {"write"}
        assert database.rows("SELECT count(*) FROM events") == [(96,)]
        stored = database.rows('SELECT raw FROM ingest_jobs WHERE "offset" = 17')
        assert [bytes(row[0]) for row in stored] == [b'{"id":17,"name":null}']

    def test_bad_rows_are_found_among_duplicates_too(self, database: Database) -> None:
        database.run(
            "CREATE TABLE events (id integer PRIMARY KEY, seen integer CHECK (seen < 100))",
            "INSERT INTO events VALUES (0, 0), (50, 0)",
        )
        sink = database.sink(key=["id"])
        values = [{"id": i, "seen": 999 if i in (7, 80) else 1} for i in range(100)]
        (settled,) = sink.commit([make_batch(values)])
        assert counts(settled) == {"read": 100, "inserted": 96, "duplicates": 2, "dead": 2}
        assert [dead.origin.offset for dead in settled.dead] == [7, 80]

    def test_bad_rows_are_found_in_updates(self, database: Database) -> None:
        database.run(
            "CREATE TABLE events (id integer PRIMARY KEY, seen integer CHECK (seen < 100))",
            "INSERT INTO events VALUES (3, 0), (4, 0)",
        )
        sink = database.sink(key=["id"], on_conflict="update")
        values = [{"id": i, "seen": 999 if i in (3, 6) else 1} for i in range(8)]
        (settled,) = sink.commit([make_batch(values)])
        assert counts(settled) == {"read": 8, "inserted": 5, "updated": 1, "dead": 2}
        assert database.rows("SELECT seen FROM events WHERE id = 3") == [(0,)]

    def test_a_second_unique_column_makes_a_dead_letter_not_a_duplicate(
        self, database: Database
    ) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, name text UNIQUE)")
        sink = database.sink(key=["id"])
        (settled,) = sink.commit(
            [make_batch([{"id": 1, "name": "a"}, {"id": 2, "name": "a"}, {"id": 3, "name": "b"}])]
        )
        assert counts(settled) == {"read": 3, "inserted": 2, "dead": 1}
        assert settled.dead[0].origin.offset == 1

    def test_a_value_that_cannot_be_encoded_is_set_aside(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, name text)")
        sink = database.sink(key=["id"])
        (settled,) = sink.commit([_with_surrogate()])
        assert counts(settled) == {"read": 3, "inserted": 2, "dead": 1}
        assert settled.dead[0].category == "data"
        assert settled.dead[0].origin.offset == 1

    def test_read_is_the_sum_of_all_outcomes(self, database: Database) -> None:
        database.run(
            "CREATE TABLE events (id integer PRIMARY KEY, name text NOT NULL)",
            "INSERT INTO events VALUES (5, 'there')",
        )
        sink = database.sink(key=["id"], on_conflict="update")
        values: list[dict[str, Any]] = [
            {"id": 1, "name": "a"},
            {"id": 1, "name": "b"},
            {"id": 5, "name": "c"},
            {"id": 6, "name": None},
            {"id": 7, "name": "d", "extra": 1},
            {"name": "e"},
        ]
        batch = make_batch(
            values, failures=[make_failure(6), make_failure(7, transient=True)], filtered=2
        )
        (settled,) = sink.commit([batch])
        assert counts(settled) == {
            "read": 10,
            "inserted": 1,
            "updated": 2,
            "filtered": 2,
            "dead": 4,
            "retry": 1,
        }


def _with_surrogate() -> Any:
    batch = make_batch([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}])
    values = [dict(value) for value in batch.values or ()]
    values[1]["name"] = "\ud800"
    return batch.keep([0, 1, 2], values)
