from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest

from sinks.objects.compaction import compact as compaction
from sinks.objects.compaction import swap
from sinks.objects.compaction.compact import Compacted, Compaction, compact
from tests.io.sinks.objects.filled_lake import BY, FilledLake
from transforms.errors import SinkFailed

TARGET = 1_000_000


def nothing() -> None:
    """This process may go on."""


def work(lake: FilledLake, **changes: Any) -> Compaction:
    whole = Compaction(lake.database, lake.store, lake.sink, TARGET, BY, nothing, nothing)
    return replace(whole, **changes)


@pytest.fixture(params=["parquet", "jsonl.gz"])
def filled(lake: FilledLake, request: pytest.FixtureRequest) -> FilledLake:
    """Three objects of one folder, and one of another."""
    for number in range(3):
        lake.settle(f"t/dt=1/{number}.{request.param}", [{"n": number}], start=number)
    lake.settle(f"t/dt=2/a.{request.param}", [{"n": 9}], start=9)
    return lake


class TestMerging:
    def test_small_objects_of_a_folder_become_one(self, filled: FilledLake) -> None:
        before = filled.rows()
        done = compact(work(filled))
        assert (done.merged, done.written, done.rows, done.problems) == (3, 1, 3, [])
        alone, merged = filled.settled()
        assert alone.startswith("t/dt=2/a.")
        assert merged.startswith("t/dt=1/compacted-")
        assert sorted(filled.rows(), key=str) == sorted(before, key=str)

    def test_a_second_run_changes_nothing(self, filled: FilledLake) -> None:
        compact(work(filled))
        before = filled.states()
        assert compact(work(filled)) == Compacted()
        assert filled.states() == before

    def test_replaced_objects_stay_for_their_readers(self, filled: FilledLake) -> None:
        before = filled.data()
        compact(work(filled))
        assert set(before) < set(filled.data())

    def test_a_dry_run_only_counts(self, filled: FilledLake) -> None:
        names, states = filled.data(), filled.states()
        done = compact(work(filled), dry_run=True)
        assert (done.merged, done.written, done.rows) == (3, 1, 3)
        assert (filled.data(), filled.states(), filled.trail()) == (names, states, [])

    def test_the_sizes_are_those_of_the_objects(self, filled: FilledLake) -> None:
        sizes = {name: stored.bytes for name, stored in filled.store.names()}
        done = compact(work(filled))
        assert done.bytes_before == sum(
            size for name, size in sizes.items() if name.startswith("t/dt=1/")
        )
        _, merged = filled.settled()
        stored = filled.store.head(merged)
        assert stored is not None
        assert done.bytes_after == stored.bytes

    def test_one_dataset_may_be_named(self, filled: FilledLake) -> None:
        assert compact(work(filled), filled.target("other")) == Compacted()
        assert compact(work(filled), filled.target("t")).merged == 3

    def test_records_of_pipelines_stay_apart(self, lake: FilledLake) -> None:
        for number, pipeline in enumerate("pqpq"):
            lake.settle(f"t/{number}.jsonl.gz", [{"n": number}], pipeline=pipeline)
        assert compact(work(lake)).written == 2
        assert sorted(
            sorted(row["n"] for row in content)
            for content in ([row for row in lake.rows() if row["n"] % 2 == odd] for odd in (0, 1))
        ) == [[0, 2], [1, 3]]

    def test_what_shrinks_is_merged_until_it_is_as_large_as_wanted(self, lake: FilledLake) -> None:
        for number in range(12):
            lake.settle(f"t/{number:02}.parquet", [{"n": number}], start=number)
        stored = lake.store.head("t/00.parquet")
        assert stored is not None
        target = stored.bytes * 4  # four objects fit; most of each is its footer
        done = compact(work(lake, target_bytes=target))
        assert done.written > 12 // 4, "a second look has merged what the first one made"
        assert compact(work(lake, target_bytes=target)) == Compacted()
        assert [row["n"] for row in lake.rows()] == list(range(12))

    @pytest.mark.parametrize("suffix", ["parquet", "jsonl.gz"])
    def test_a_folder_of_very_many_objects_is_taken_bit_by_bit(
        self, lake: FilledLake, monkeypatch: pytest.MonkeyPatch, suffix: str
    ) -> None:
        monkeypatch.setattr(compaction, "AT_ONCE", 3)
        for number in range(7):
            lake.settle(f"t/{number}.{suffix}", [{"n": number}], start=number)
        compact(work(lake))
        assert len(lake.settled()) == 1
        assert sorted(row["n"] for row in lake.rows()) == list(range(7))

    def test_the_manifest_is_published_now_and_then(
        self, lake: FilledLake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(compaction, "PUBLISHED_AFTER", 4)
        for folder in range(4):
            for number in range(2):
                lake.settle(f"t/dt={folder}/{number}.jsonl.gz", [{"n": 1}], start=number)
        merged: list[int] = []

        def publish() -> None:
            merged.append(len(lake.settled()))

        compact(work(lake, publish=publish), dry_run=True)
        assert merged == []
        compact(work(lake, publish=publish))
        assert merged == [6, 4], "of eight objects, after every second folder"

    def test_the_object_says_where_its_records_come_from(self, lake: FilledLake) -> None:
        for number in range(2):
            lake.settle(f"t/{number}.parquet", [{"n": number}], start=number)
        compact(work(lake))
        (name,) = lake.settled()
        metadata = pq.ParquetFile(lake.folder / name).metadata.metadata or {}
        assert {key: text for key, text in metadata.items() if key.startswith(b"sluice")} == {
            b"sluice.pipeline": b"p",
            b"sluice.source": b"s",
            b"sluice.partition": b"0",
            b"sluice.range": b"0-2",
            b"sluice.compacted": b"2",
        }


class TestSchemas:
    def test_schemas_that_grew_become_one(self, lake: FilledLake) -> None:
        lake.settle("t/a.parquet", [{"n": 1}], start=0)
        lake.settle("t/b.parquet", [{"n": 2, "x": "new"}], start=1)
        compact(work(lake))
        assert lake.rows() == [{"n": 1, "x": None}, {"n": 2, "x": "new"}]

    def test_schemas_that_contradict_each_other_stay_apart(self, lake: FilledLake) -> None:
        for number, value in enumerate((1, "text", 2, "more")):
            lake.settle(f"t/{number}.parquet", [{"n": value}], start=number)
        assert compact(work(lake)).written == 2
        contents = [pq.read_table(lake.folder / name)["n"].to_pylist() for name in lake.settled()]
        assert contents == [[1, 2], ["text", "more"]]
        assert compact(work(lake)) == Compacted()

    def test_formats_stay_apart(self, lake: FilledLake) -> None:
        lake.settle("t/a.parquet", [{"n": 1}])
        lake.settle("t/b.jsonl.gz", [{"n": 2}])
        assert compact(work(lake)) == Compacted()


class TestDoubts:
    @pytest.fixture
    def three(self, lake: FilledLake) -> list[int]:
        return [lake.settle(f"t/{n}.parquet", [{"n": n}], start=n) for n in range(3)]

    def test_an_object_that_is_gone_is_said_and_the_others_are_merged(
        self, lake: FilledLake, three: list[int]
    ) -> None:
        lake.store.delete("t/1.parquet")
        done = compact(work(lake))
        assert done.merged == 2
        assert done.problems == ["t/1.parquet is not there (sluice audit --objects)"]
        assert "t/1.parquet" in lake.settled()

    @pytest.mark.parametrize(
        ("columns", "problem"),
        [
            ({"etag": "other"}, "is another object than was settled"),
            ({"rows": 2}, "t/1.parquet has 1 rows, but the state says 2"),
        ],
    )
    def test_an_object_that_is_not_what_the_state_says_is_left(
        self, lake: FilledLake, three: list[int], columns: dict[str, Any], problem: str
    ) -> None:
        lake.update(three[1], **columns)
        done = compact(work(lake))
        assert done.merged == 2
        assert len(done.problems) == 1
        assert problem in done.problems[0]

    def test_lines_that_are_not_as_many_as_the_state_says_are_left(self, lake: FilledLake) -> None:
        lake.settle("t/a.jsonl.gz", [{"n": 1}])
        lake.update(lake.settle("t/b.jsonl.gz", [{"n": 2}]), rows=5)
        done = compact(work(lake))
        assert done.problems == ["2 objects of t have 2 rows, but the state says 6"]
        assert lake.settled() == ["t/a.jsonl.gz", "t/b.jsonl.gz"]

    @pytest.mark.parametrize("suffix", ["parquet", "jsonl.gz"])
    def test_a_damaged_object_is_said(self, lake: FilledLake, suffix: str) -> None:
        lake.settle(f"t/a.{suffix}", [{"n": 1}])
        number = lake.settle(f"t/b.{suffix}", [{"n": 2}], start=1)
        etag = lake.store.replace(
            f"t/b.{suffix}",
            b"neither of the two",
            lake.store.head(f"t/b.{suffix}").etag,  # type: ignore[union-attr]
        )
        lake.update(number, etag=etag)
        done = compact(work(lake))
        assert done.merged == 0
        assert len(done.problems) == 1
        assert done.problems[0].startswith(f"t/b.{suffix} cannot be read: ")

    def test_of_very_many_problems_the_first_are_kept(self) -> None:
        done = Compacted()
        for number in range(compaction.MOST_PROBLEMS + 5):
            done.give_up(str(number))
        assert (done.left, len(done.problems)) == (1_005, 1_000)


class TestCrashes:
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize("step", ["_write", "_upload", "swap"])
    def test_a_run_that_ended_anywhere_is_made_good_by_the_next(
        self, filled: FilledLake, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
    ) -> None:
        before = sorted(filled.rows(), key=str)

        class Killed(BaseException):
            pass

        module = swap if step == "swap" else compaction
        done: Callable[..., object] = getattr(module, step)

        def killed(*arguments: Any) -> None:
            if after:
                done(*arguments)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(module, step, killed)
            with pytest.raises(Killed):
                compact(work(filled))
        assert sorted(filled.rows(), key=str) == before
        unknown = set(filled.data()) - set(filled.states())
        assert unknown == set(), "whatever is left is to be swept"
        swapped = step == "swap" and after
        assert compact(work(filled)).merged == (0 if swapped else 3)
        assert len(filled.settled()) == 2
        assert sorted(filled.rows(), key=str) == before

    def test_an_answer_that_was_lost_is_no_foreign_object(
        self, filled: FilledLake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        create = type(filled.store).create

        def twice(*arguments: Any) -> str:
            create(*arguments)
            return create(*arguments)

        monkeypatch.setattr(type(filled.store), "create", twice)
        assert compact(work(filled)).problems == []
        assert len(filled.settled()) == 2

    def test_two_at_once_lose_and_double_nothing(
        self, filled: FilledLake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = sorted(filled.rows(), key=str)
        upload: Callable[..., str] = compaction._upload

        def overtaken(*arguments: Any) -> str:
            monkeypatch.setattr(compaction, "_upload", upload)
            assert compact(work(filled)).merged == 3
            return upload(*arguments)

        monkeypatch.setattr(compaction, "_upload", overtaken)
        done = compact(work(filled))
        assert done.merged == 0
        assert done.problems == ["another process has replaced the same objects; run it again"]
        assert sorted(filled.rows(), key=str) == before

    def test_a_process_that_must_not_go_on_changes_nothing(self, filled: FilledLake) -> None:
        calls = []

        def taken_over() -> None:
            calls.append(1)
            if len(calls) > 3:
                raise SinkFailed("taken over")

        before = filled.states()
        with pytest.raises(SinkFailed, match="taken over"):
            compact(work(filled, alive=taken_over))
        assert filled.states() == before


def test_no_two_objects_have_one_name(filled: FilledLake) -> None:
    names = set()
    for _ in range(2):
        compact(work(filled))
        names |= {name for name in filled.data() if "compacted" in name}
        filled.update(state="settled")
    assert len(names) == 2


def test_a_folder_that_cannot_be_written_ends_the_run(
    filled: FilledLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> str:
        raise SinkFailed("may not be written")

    monkeypatch.setattr(type(filled.store), "create", refuse)
    with pytest.raises(SinkFailed, match="may not be written"):
        compact(work(filled))
