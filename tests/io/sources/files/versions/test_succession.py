"""A file that is written on, touched or renamed brings each of its records once."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sources.files.source import FilesSource
from tests.io.sources.files.watching import nothing, opened, records, until
from tests.io.sources.reading import MemoryLedger, failures, raws, read_all
from transforms import metrics, notes
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits

OLD = 1_600_000_000
"""When the files of these tests were written at first, long ago; then a second later each time."""

Rewrite = Callable[[Path], object]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    notes.reset()
    metrics.reset()
    yield
    notes.reset()
    metrics.reset()


def lines(first: int, last: int) -> bytes:
    return b"".join(b'{"n": %d}\n' % n for n in range(first, last + 1))


def numbers(batches: list[RecordBatch]) -> list[int]:
    assert not failures(batches)
    return sorted(int(raw.split(b":")[1].strip(b" }\r\n")) for raw in raws(batches))


def said() -> dict[str, int]:
    return {note.group.split(" ")[0]: note.count for note in notes.noted()}


class Folder:
    """A folder whose files are written at times of their own, and what was read of it."""

    def __init__(self, path: Path, uri: str = "**", **options: object) -> None:
        self.path = path
        self.ledger = MemoryLedger()
        self.source = FilesSource(f"{path}/{uri}", **options)  # type: ignore[arg-type]
        self._clock = OLD

    def write(self, name: str, data: bytes) -> None:
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        self.touch(name)

    def append(self, name: str, data: bytes) -> None:
        with (self.path / name).open("ab") as file:
            file.write(data)
        self.touch(name)

    def touch(self, name: str) -> None:
        self._clock += 1
        os.utime(self.path / name, (self._clock, self._clock))

    def move(self, name: str, to: str) -> None:
        (self.path / to).parent.mkdir(exist_ok=True)
        (self.path / name).rename(self.path / to)

    def compress(self, name: str) -> None:
        before = (self.path / name).stat()
        (self.path / f"{name}.gz").write_bytes(gzip.compress((self.path / name).read_bytes()))
        os.utime(self.path / f"{name}.gz", ns=(before.st_mtime_ns, before.st_mtime_ns))
        (self.path / name).unlink()

    def read(self) -> list[RecordBatch]:
        notes.reset()
        return read_all(self.source, self.ledger)

    def everything_is_settled(self) -> bool:
        """Whether all versions are settled, without gaps, and a further run reads nothing."""
        covered = all(each.complete for each in self.ledger.coverages.values())
        return covered and not list(self.source.splits(self.ledger))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def log(tmp_path: Path) -> Folder:
    """A log of three lines that was read."""
    folder = Folder(tmp_path)
    folder.write("app.log", lines(1, 3))
    assert numbers(folder.read()) == [1, 2, 3]
    return folder


class TestOneName:
    def test_of_a_file_that_has_grown_only_what_is_new_is_read(self, log: Folder) -> None:
        for n in range(4, 8):
            log.append("app.log", lines(n, n))
            assert numbers(log.read()) == [n]
            assert said()["read"] == 1
        assert log.everything_is_settled()

    def test_a_rewrite_with_the_same_start_is_growth(self, log: Folder) -> None:
        log.write("app.log", lines(1, 5))
        assert numbers(log.read()) == [4, 5]

    def test_a_file_that_is_touched_is_not_read(self, log: Folder) -> None:
        log.touch("app.log")
        assert log.read()[-1].span.final
        assert said()["recognised"] == 1
        assert log.everything_is_settled()
        log.touch("app.log")
        log.append("app.log", lines(4, 4))
        assert numbers(log.read()) == [4]

    def test_a_file_with_one_other_byte_is_read_again(self, log: Folder) -> None:
        log.write("app.log", lines(1, 3).replace(b"2", b"7"))
        assert numbers(log.read()) == [1, 3, 7]
        assert said()["read"] == 1
        assert [note.group for note in notes.noted() if note.topic == "continued"] == [
            "read again, since what had been read has changed"
        ]

    def test_a_file_that_was_truncated_and_written_anew_is_read(self, log: Folder) -> None:
        log.write("app.log", lines(8, 9))
        assert numbers(log.read()) == [8, 9]
        log.append("app.log", lines(10, 10))
        assert numbers(log.read()) == [10]

    def test_an_unfinished_run_is_gone_on_with_in_a_file_that_has_grown(
        self, folder: Folder
    ) -> None:
        folder.write("app.log", lines(1, 9))
        few = FilesSource(folder.source.uri, limits=BatchLimits(records=4))
        (split,) = few.splits(folder.ledger)
        reader = few.open(split, (), folder.ledger)
        folder.ledger.settle(reader.poll(5).batches)
        reader.close()
        folder.append("app.log", lines(10, 11))
        assert numbers(folder.read()) == [5, 6, 7, 8, 9, 10, 11]
        assert folder.everything_is_settled()

    def test_a_last_line_that_only_lacked_its_newline_is_not_read_again(
        self, folder: Folder
    ) -> None:
        folder.write("app.log", lines(1, 3)[:-1])
        assert numbers(folder.read()) == [1, 2, 3]
        folder.append("app.log", b"\n" + lines(4, 5))
        assert numbers(folder.read()) == [4, 5]

    def test_a_last_line_that_was_not_whole_is_read_as_a_whole(self, folder: Folder) -> None:
        folder.write("app.log", lines(1, 2) + b'{"n": 3')
        assert len(raws(folder.read())) == 3
        folder.append("app.log", b"3}\n" + lines(4, 4))
        assert numbers(folder.read()) == [4, 33]


class TestOtherNames:
    @pytest.mark.parametrize("name", ["done/app.log", "other.jsonl", "app.log.1"])
    def test_a_file_that_was_renamed_is_not_read(self, log: Folder, name: str) -> None:
        log.move("app.log", name)
        assert raws(log.read()) == []
        assert said()["recognised"] == 1
        assert log.everything_is_settled()

    def test_rotation_goes_on_in_both_files(self, log: Folder) -> None:
        log.append("app.log", lines(4, 5))
        log.move("app.log", "app.log.1")
        log.write("app.log", lines(6, 7))
        assert numbers(log.read()) == [4, 5, 6, 7]
        log.append("app.log", lines(8, 8))
        log.move("app.log.1", "app.log.2")
        log.move("app.log", "app.log.1")
        log.write("app.log", lines(9, 9))
        assert numbers(log.read()) == [8, 9]
        log.move("app.log.2", "app.log.3")
        log.compress("app.log.3")
        log.move("app.log.1", "app.log.2")
        log.compress("app.log.2")
        log.move("app.log", "app.log.1")
        assert raws(log.read()) == []
        assert log.everything_is_settled()

    def test_a_file_that_was_compressed_with_lines_that_were_not_read_yet(
        self, log: Folder
    ) -> None:
        log.append("app.log", lines(4, 4))
        log.compress("app.log")
        assert numbers(log.read()) == [4]

    def test_a_file_that_was_copied_away_and_truncated(self, log: Folder) -> None:
        log.append("app.log", lines(4, 4))
        shutil.copy2(log.path / "app.log", log.path / "app.log.1")
        log.write("app.log", b"")
        assert numbers(log.read()) == [4]
        log.write("app.log", lines(5, 5))
        assert numbers(log.read()) == [5]

    @pytest.mark.parametrize("name", ["copy.jsonl", "app.log.1"])
    def test_a_copy_is_another_file(self, log: Folder, name: str) -> None:
        shutil.copy2(log.path / "app.log", log.path / name)
        assert numbers(log.read()) == [1, 2, 3]

    def test_the_same_content_in_a_new_file_is_read_although_the_old_one_is_gone(
        self, log: Folder
    ) -> None:
        (log.path / "app.log").unlink()
        log.write("next.log", lines(1, 3))
        assert numbers(log.read()) == [1, 2, 3]


class TestFormats:
    def test_csv(self, folder: Folder) -> None:
        folder.write("a.csv", b"id,v\n1,x\n2,y")
        assert raws(folder.read()) == [b"1,x", b"2,y"]
        folder.append("a.csv", b"\r\n3,z\r\n")
        assert [raw.strip() for raw in raws(folder.read())] == [b"3,z"]
        folder.move("a.csv", "b.csv")
        assert raws(folder.read()) == []

    def test_an_array_is_recognised_and_read_again_once_it_is_another_one(
        self, folder: Folder
    ) -> None:
        folder.write("a.json", b'[{"n": 1}, {"n": 2}]')
        assert numbers(folder.read()) == [1, 2]
        folder.touch("a.json")
        assert raws(folder.read()) == []
        folder.write("a.json", b'[{"n": 1}, {"n": 2}, {"n": 3}]')
        assert numbers(folder.read()) == [1, 2, 3]

    def test_a_sequence_that_has_grown_is_read_on(self, folder: Folder) -> None:
        folder.write("a.json", b'{"n": 1}{"n": 2}')
        assert numbers(folder.read()) == [1, 2]
        folder.append("a.json", b'{"n": 3}')
        assert numbers(folder.read()) == [3]

    def test_members_that_are_added_to_compressed_data(self, folder: Folder) -> None:
        folder.write("a.jsonl.gz", gzip.compress(lines(1, 2)))
        assert numbers(folder.read()) == [1, 2]
        folder.append("a.jsonl.gz", gzip.compress(lines(3, 4)))
        assert numbers(folder.read()) == [3, 4]
        folder.touch("a.jsonl.gz")
        assert raws(folder.read()) == []

    def test_parquet(self, folder: Folder) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        (folder.path / "x").mkdir()
        pq.write_table(pa.table({"n": [1, 2]}), folder.path / "a.parquet")
        assert len(raws(folder.read())) == 2
        folder.touch("a.parquet")
        assert raws(folder.read()) == []
        folder.move("a.parquet", "x/b.parquet")
        assert raws(folder.read()) == []
        pq.write_table(pa.table({"n": [1, 2, 3]}), folder.path / "x/b.parquet")
        assert len(raws(folder.read())) == 3

    def test_avro(self, folder: Folder) -> None:
        import fastavro

        schema = {"type": "record", "name": "e", "fields": [{"name": "n", "type": "long"}]}
        with (folder.path / "a.avro").open("w+b") as file:
            fastavro.writer(file, schema, [{"n": 1}, {"n": 2}])
        assert len(raws(folder.read())) == 2
        folder.touch("a.avro")
        assert raws(folder.read()) == []
        with (folder.path / "a.avro").open("a+b") as file:
            fastavro.writer(file, schema, [{"n": 3}])
        assert len(raws(folder.read())) == 1
        folder.move("a.avro", "b.avro")
        assert raws(folder.read()) == []

    def test_ranges_of_a_large_file_add_up(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path, split_bytes=100)
        folder.write("a.jsonl", lines(100, 199))
        assert len(numbers(folder.read())) == 100
        folder.move("a.jsonl", "b.jsonl")
        assert raws(folder.read()) == []
        folder.append("b.jsonl", lines(200, 299))
        assert numbers(folder.read()) == list(range(200, 300))


class TestWatching:
    def test_what_another_run_has_read_is_known_under_its_new_name_and_when_it_has_grown(
        self, log: Folder
    ) -> None:
        log.append("app.log", lines(4, 4))
        log.write("b.log", lines(10, 12))
        assert numbers(log.read()) == [4, 10, 11, 12]
        log.append("app.log", lines(5, 5))
        log.move("b.log", "done/b.log")
        files = FilesSource(log.source.uri, watch=True, poll_interval=0.05, rest_seconds=0)
        reader = opened(files, log.ledger)
        batches = until(reader, records(1))
        assert numbers(batches) == [5]
        rest = until(reader, lambda new: any(batch.span.source.endswith("b.log") for batch in new))
        assert raws(rest) == []
        log.append("app.log", lines(6, 6))
        more = until(reader, records(1))
        assert numbers(more) == [6]
        log.ledger.settle([*batches, *rest, *more])
        reader.close()
        log.append("app.log", lines(7, 7))
        again = opened(files, log.ledger)
        assert numbers(until(again, records(1))) == [7]
        nothing(again)
        again.close()
