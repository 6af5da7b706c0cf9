"""Which objects a commit writes, and what is entered before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.migrations import migrate
from sinks.objects.config import ObjectConfig
from sinks.objects.cutting import Intent, ObjectId
from sinks.objects.datasets import begin
from sinks.objects.encoding.columns import Columns
from sinks.objects.intents import enter, open_ranges
from sinks.objects.names import full_name, range_name
from sinks.objects.planned import Dataset, Plan
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.expansion import Expansion
from transforms.batch.record import Attempt, Claim, RecordBatch

PLACE = ("file:///a", "p")
CONFIG = ObjectConfig.of("s3://lake?partition=type", "orders")
DATASET = Dataset(CONFIG, Columns.of(None), "orders")


@pytest.fixture
def connection(sqlite_database: Database) -> Iterator[sa.Connection]:
    migrate.prepare(sqlite_database.database)
    with transaction(sqlite_database.database, "test") as connection:
        yield connection


def batch(types: str, start: int = 0) -> RecordBatch:
    return make_batch([{"type": type_} for type_ in types], start)


def plan(connection: sa.Connection, *batches: RecordBatch) -> Plan:
    ranges = [(each.span.start, each.span.end) for each in batches if each.claim is None]
    shares = {"orders": list(enumerate(batches))}
    return begin(connection, "p", {"orders": DATASET}, shares, {PLACE: ranges} if ranges else {})


def offsets(plan: Plan) -> dict[str, list[int]]:
    """The offsets of each object, by its folder."""
    result: dict[str, list[int]] = {}
    for planned in plan.objects:
        for piece in planned.pieces:
            indices: Sequence[int] = piece.indices or range(len(piece.batch.offsets))
            folder = planned.id.name.rpartition("/")[0]
            result.setdefault(folder, []).extend(piece.batch.offsets[i] for i in indices)
    return result


def test_batches_that_follow_each_other_share_an_object_in_each_folder(
    connection: sa.Connection,
) -> None:
    result = plan(connection, batch("ab"), batch("ba", 2))
    assert offsets(result) == {"orders/type=a": [0, 3], "orders/type=b": [1, 2]}
    (intent,) = result.intents
    assert (intent.start, intent.end, intent.fence) == (0, 4, 1)
    assert set(intent.objects) == {planned.id for planned in result.objects}
    assert open_ranges(connection, "p") == {PLACE: [(0, 4)]}
    assert {name.sink for name in intent.objects} == {"s3://lake"}


def test_batches_are_cut_at_an_open_intent(connection: sa.Connection) -> None:
    name = range_name(*PLACE, 1, 3, "0" * 12)
    object_ = ObjectId("s3://lake", "orders", full_name("orders", "type=a", name, ".parquet"))
    enter(connection, [Intent("p", *PLACE, 1, 3, "0" * 12, objects=(object_,))])
    result = plan(connection, batch("aa"), batch("aa", 2))
    ranges = {(each.start, each.end): each.fence for each in result.intents}
    assert ranges == {(0, 1): 1, (1, 3): 2, (3, 4): 1}
    by_intent = {
        (planned.intent.start, planned.intent.end): [
            piece.batch.offsets[i]
            for piece in planned.pieces
            for i in piece.indices or range(len(piece.batch.offsets))
        ]
        for planned in result.objects
    }
    assert by_intent == {(0, 1): [0], (1, 3): [1, 2], (3, 4): [3]}
    again = next(each for each in result.intents if each.fence == 2)
    assert again.id == "0" * 12, "its names are the same again"


def test_a_name_that_was_given_up_never_comes_back(connection: sa.Connection) -> None:
    first = plan(connection, batch("a"))
    second = plan(connection, batch("b"))
    third = plan(connection, batch("a"))
    names = [each.id.name for result in (first, second, third) for each in result.objects]
    assert len(set(names)) == 3
    rows = connection.execute(sa.text("SELECT name FROM ingest_objects WHERE state = 'orphan'"))
    assert {name for (name,) in rows} == set(names[:2])


def test_a_range_without_records_for_objects_has_no_intent(connection: sa.Connection) -> None:
    result = plan(connection, make_batch([], filtered=3))
    assert result == Plan()
    assert open_ranges(connection, "p") == {}


def test_a_record_without_a_folder_is_refused(connection: sa.Connection) -> None:
    batches = [batch("a"), make_batch([{"type": "a"}, {"type": 1.5}], 1)]
    result = plan(connection, *batches)
    assert [(each.target, each.number, each.index) for each in result.refused] == [("orders", 1, 1)]
    assert offsets(result) == {"orders/type=a": [0, 1]}


def test_jobs_have_objects_of_their_own(connection: sa.Connection) -> None:
    attempts: dict[tuple[int, int | None, Expansion], Attempt] = {
        (n, None, ()): Attempt(job, 2, 3, "r") for n, job in ((0, 12), (1, 5))
    }
    claim = Claim("0" * 32, attempts, "p")
    result = plan(connection, replace(batch("aa"), claim=claim), batch("a", 2))
    names = sorted(planned.id.name for planned in result.objects)
    assert names[1].startswith("orders/type=a/jobs-000000000005-000000000012-")
    assert sorted((each.source, each.partition) for each in result.intents) == [
        ("", claim.id),
        PLACE,
    ]
