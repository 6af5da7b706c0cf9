"""One object: created once, replaced by whoever has the intent."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sinks.objects import writing
from sinks.objects.config import ObjectConfig
from sinks.objects.cutting import Intent, ObjectId
from sinks.objects.encoding.columns import Columns
from sinks.objects.folder_store import FolderStore
from sinks.objects.intents import Superseded
from sinks.objects.planned import Dataset, Piece, Planned
from sinks.objects.writing import encoded, put, together
from tests.io.sinks.objects.lake import SCHEMA
from tests.io.sinks.tested_database import make_batch
from transforms.batch.record import JSON, Format
from transforms.errors import Contention


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(ObjectConfig.of(f"file://{tmp_path}/lake"))


def test_a_first_attempt_asks_nobody(store: FolderStore) -> None:
    def unasked() -> bool:
        raise AssertionError("nothing was there")

    etag = put(store, "x", b"1", unasked, first=True)
    assert store.read("x") == (b"1", etag)


@pytest.mark.parametrize("first", [True, False])
def test_what_an_earlier_attempt_left_is_replaced(store: FolderStore, first: bool) -> None:
    store.create("x", b"0")
    put(store, "x", b"1", lambda: True, first=first)
    content = store.read("x")
    assert content is not None
    assert content[0] == b"1"


def test_a_later_attempt_creates_what_is_not_there(store: FolderStore) -> None:
    put(store, "x", b"1", lambda: True, first=False)
    assert store.head("x") is not None


@pytest.mark.parametrize("first", [True, False])
def test_whoever_has_lost_the_intent_changes_nothing(store: FolderStore, first: bool) -> None:
    etag = store.create("x", b"0")
    with pytest.raises(Superseded):
        put(store, "x", b"1", lambda: False, first=first)
    assert store.read("x") == (b"0", etag)


def test_an_object_that_changes_is_looked_at_again(store: FolderStore) -> None:
    etag = store.create("x", b"0")
    late = iter([b"other"])

    def is_current() -> bool:
        for data in late:
            store.replace("x", data, etag)
        return True

    put(store, "x", b"1", is_current, first=False)
    content = store.read("x")
    assert content is not None
    assert content[0] == b"1"


def test_an_object_that_keeps_changing_is_contention(store: FolderStore) -> None:
    store.create("x", b"0")

    def is_current() -> bool:
        stored = store.head("x")
        assert stored is not None
        store.replace("x", b"other", stored.etag)
        return True

    with pytest.raises(Contention, match="object x kept changing"):
        put(store, "x", b"1", is_current, first=False)


def planned(format_: str, fence: int) -> Planned:
    config = ObjectConfig.of(f"file:///lake?format={format_}")
    dataset = Dataset(config, Columns.of(SCHEMA), config.label)
    batch = make_batch([{"id": 1}, {"id": "x"}, {"id": 3}])
    intent = Intent("p", "file:///a", "p", 0, 3, "i", fence)
    name = ObjectId(config.url, dataset.label, "x")
    return Planned(dataset, name, intent, (Piece(0, batch, [0, 1]), Piece(1, batch, [2])))


def test_a_record_that_does_not_fit_is_refused_by_its_place_in_its_batch() -> None:
    _, rows, refused = encoded(planned("parquet", 1))
    assert rows == 2
    assert [(each.number, each.index, str(each.error)) for each in refused] == [
        (0, 1, "field id: 'x' is not an integer")
    ]


@pytest.mark.parametrize("format_", ["parquet", "jsonl.gz"])
def test_attempts_differ_in_their_bytes_and_so_in_their_etags(format_: str) -> None:
    contents = [encoded(planned(format_, fence))[0] for fence in (1, 1, 2)]
    assert contents[0] == contents[1] != contents[2]


def test_what_is_encoded_together_is_of_one_partition_and_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writing, "TOGETHER_RECORDS", 4)
    two = [{"id": 1}, {"id": 2}]
    batches = [make_batch(two, start) for start in (0, 2, 4)]
    batches.append(make_batch(two, partition="other"))
    pieces = [Piece(number, batch, None) for number, batch in enumerate(batches)]
    assert [[each.number for each in part] for part in together(pieces)] == [[0, 1], [2], [3]]
    monkeypatch.setattr(writing, "TOGETHER_BYTES", 1)
    assert [[each.number for each in part] for part in together(pieces)] == [[0], [1], [2], [3]]


def test_a_record_that_is_encoded_with_others_keeps_its_origin() -> None:
    plan = planned("parquet", 1)
    first, second = make_batch([{"id": 1}, {"id": 2}]), make_batch([{"id": 3}, {"id": "x"}], 7)
    plan = replace(plan, pieces=(Piece(4, first, [1]), Piece(5, second, None)))
    data, _, refused = encoded(plan)
    rows = pq.read_table(io.BytesIO(data)).select(["ingest_offset", "id"]).to_pylist()
    assert rows == [{"ingest_offset": 1, "id": 2}, {"ingest_offset": 7, "id": 3}]
    assert [(each.number, each.index) for each in refused] == [(5, 1)]


@pytest.mark.parametrize(
    ("formats", "names"), [(["csv", "csv"], ["id", "payload"]), (["csv", "json"], ["payload"])]
)
def test_the_header_of_csv_makes_columns_where_all_records_have_it(
    formats: list[str], names: list[str]
) -> None:
    plan = planned("parquet", 1)
    headers = {"csv": Format("csv", ("id",)), "json": JSON}
    pieces = tuple(
        Piece(number, replace(make_batch([{"id": "1"}]), format=headers[name]), None)
        for number, name in enumerate(formats)
    )
    dataset = replace(plan.dataset, columns=Columns.of(None))
    data, _, _ = encoded(replace(plan, dataset=dataset, pieces=pieces))
    assert pq.read_schema(io.BytesIO(data)).names[3:] == names
