"""Files of JSON that is not laid out in lines, read through the whole source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client

from clients.s3 import S3Settings
from sources.files.json.layout import ARRAY
from sources.files.json.options import JsonOptions
from sources.files.source import FilesSource
from tests.io.sources.files.watching import Watch, nothing, records, until
from tests.io.sources.reading import (
    MemoryLedger,
    failures,
    located,
    raws,
    read_all,
    read_split,
)
from transforms.batch.coverage import Coverage
from transforms.batch.splits import BatchLimits, Split
from transforms.errors import ConfigError

NEVER = 3_600.0
TWO = BatchLimits(records=2)


def source(path: Path, text: bytes, **options: object) -> FilesSource:
    path.write_bytes(text)
    return FilesSource(str(path), **options)  # type: ignore[arg-type]


def numbers(count: int) -> list[bytes]:
    return [b'{"n":%d}' % n for n in range(count)]


@pytest.mark.parametrize(
    ("encoding", "offset"), [("utf-8", 1), ("utf-8-sig", 4), ("utf-16", 4), ("utf-32", 4)]
)
def test_an_array_is_read_in_the_encoding_that_its_mark_names(
    tmp_path: Path, encoding: str, offset: int
) -> None:
    # Offsets are those of the text in UTF-8, where a mark has three bytes.
    text = '[{"a":"é"},{"b":2}]'
    batches = read_all(source(tmp_path / "a.json", text.encode(encoding)))
    assert located(batches) == [(offset, '{"a":"é"}'.encode()), (offset + 11, b'{"b":2}')]


def test_a_single_byte_encoding_is_cut_as_it_is(tmp_path: Path) -> None:
    text = '[{"a":"é"},{"b":2}]'.encode("latin-1")
    (batch,) = read_all(source(tmp_path / "a.json", text, encoding="latin-1"))
    assert batch.raws == [b'{"a":"\xe9"}', b'{"b":2}']
    assert batch.format.encoding == "iso8859-1"


def test_the_partition_names_the_layout_and_lines_keep_their_name(tmp_path: Path) -> None:
    for text, suffix in (
        (b'[{"a":1}]', ";array"),
        (b'{"a":1}{"a":2}', ";sequence"),
        (b'{"a":1}\n{"a":2}\n', ""),
    ):
        files = source(tmp_path / "a.json", text)
        (batch,) = read_all(files)
        (stored,) = files.storage.list(files.uri)
        assert batch.span.partition == stored.version + suffix


def test_a_large_array_is_one_split_and_large_lines_are_many(tmp_path: Path) -> None:
    elements = numbers(100)
    files = source(tmp_path / "a.json", b"[" + b",".join(elements) + b"]", split_bytes=64)
    (split,) = files.splits(MemoryLedger())
    assert split.version.endswith(";array")
    assert raws(read_all(files)) == elements
    files = source(tmp_path / "b.json", b"\n".join(elements), split_bytes=64)
    assert len(list(files.splits(MemoryLedger()))) > 10
    assert sorted(raws(read_all(files))) == sorted(elements)


def test_an_array_in_part_settled_goes_on_where_it_was(tmp_path: Path) -> None:
    elements = numbers(9)
    files = source(tmp_path / "a.json", b"[" + b", ".join(elements) + b"]", limits=TWO)
    ledger = MemoryLedger()
    (split,) = files.splits(ledger)
    whole = read_split(files, split)
    assert read_split(files, split, at=whole[1].span.end)[0].raws == elements[4:6], "in one run"
    ledger.settle(whole[:2])
    (rest,) = files.splits(ledger)
    assert (rest.start, rest.version) == (whole[1].span.end, whole[1].span.partition)
    assert raws(read_all(files, ledger)) == elements[4:]
    assert list(files.splits(ledger)) == []


class TestAnotherLayout:
    """An object that is settled in part is never read on in another layout."""

    @pytest.fixture
    def begun(self, tmp_path: Path) -> tuple[Path, MemoryLedger]:
        path, ledger = tmp_path / "a.json", MemoryLedger()
        text = b"[\n" + b",\n".join(numbers(9)) + b"\n]"
        lines = source(path, text, limits=TWO, json=JsonOptions("lines"))
        (split,) = lines.splits(ledger)
        ledger.settle(read_split(lines, split)[:2])
        return path, ledger

    @pytest.mark.parametrize("options", [JsonOptions(), JsonOptions("sequence")])
    def test_lines_do_not_go_on_as_something_else(
        self, begun: tuple[Path, MemoryLedger], options: JsonOptions
    ) -> None:
        path, ledger = begun
        with pytest.raises(ConfigError) as refused:
            list(FilesSource(str(path), json=options).splits(ledger))
        now = "array" if options == JsonOptions() else "sequence"
        assert str(refused.value) == (
            f"{path.as_uri()} was read as lines up to byte 29 and is to be read as {now} now, "
            "where other records begin; give --json_layout lines to read the rest of it, or store "
            "it anew to read all of it"
        )

    def test_they_go_on_as_lines(self, begun: tuple[Path, MemoryLedger]) -> None:
        path, ledger = begun
        read_all(FilesSource(str(path), json=JsonOptions("lines")), ledger)
        assert all(coverage.complete for coverage in ledger.coverages.values())

    def test_an_array_does_not_go_on_as_lines(self, tmp_path: Path) -> None:
        ledger = MemoryLedger()
        files = source(tmp_path / "a.json", b'[{"a":1},{"a":2},{"a":3}]', limits=TWO)
        (split,) = files.splits(ledger)
        ledger.settle(read_split(files, split)[:1])
        with pytest.raises(ConfigError, match="was read as array up to byte 17"):
            list(FilesSource(files.uri, json=JsonOptions("lines")).splits(ledger))

    def test_what_is_settled_whole_stays_settled(self, tmp_path: Path) -> None:
        ledger = MemoryLedger()
        files = source(tmp_path / "a.json", b'[{"a":1},{"a":2}]', json=JsonOptions("lines"))
        read_all(files, ledger)
        for options in (JsonOptions(), JsonOptions("array"), JsonOptions("sequence")):
            assert list(FilesSource(files.uri, json=options).splits(ledger)) == []


def test_an_array_that_is_cut_off_is_one_failure_after_its_whole_elements(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    files = source(tmp_path / "a.json", b'[\n{"a":1},\n{"a":2},\n{"a":')
    batches = read_all(files, ledger)
    assert raws(batches) == [b'{"a":1}', b'{"a":2}']
    (failure,) = failures(batches)
    assert (failure.category, failure.origin.offset) == ("object_corrupt", 20)
    assert "is cut off: it ends at line 4, byte 25, and its array is not closed" in failure.message
    assert all(coverage.complete for coverage in ledger.coverages.values())


def test_the_path_is_part_of_what_is_settled(tmp_path: Path) -> None:
    text = b'{"a":[{"n":1}],"b":[{"n":2},{"n":3}]}'
    ledger = MemoryLedger()
    files = source(tmp_path / "a.json", text, json=JsonOptions(path=("b",)))
    assert raws(read_all(files, ledger)) == [b'{"n":2}', b'{"n":3}']
    ((_, partition),) = ledger.coverages
    assert partition.endswith(";array:b")
    assert list(files.splits(ledger)) == []


def test_an_object_without_the_array_is_one_failure(tmp_path: Path) -> None:
    batches = read_all(source(tmp_path / "a.json", b'{"a":1}', json=JsonOptions(path=("b",))))
    (failure,) = failures(batches)
    assert "at line 1, byte 6, the object that ends here has no b" in failure.message


def test_an_object_of_s3_goes_on_in_the_middle_of_its_array(
    s3: S3Client, s3_settings: S3Settings, bucket: str
) -> None:
    body = b"[" + b",".join(numbers(9)) + b"]"
    s3.put_object(Bucket=bucket, Key="a.json", Body=body)
    files = FilesSource(f"s3://{bucket}/a.json", s3=s3_settings, limits=TWO)
    ledger = MemoryLedger()
    (split,) = files.splits(ledger)
    ledger.settle(read_split(files, split)[:3])
    (rest,) = files.splits(ledger)
    assert (rest.start, rest.size) == (49, len(body) - 49)
    assert raws(read_all(files, ledger)) == numbers(9)[6:]
    assert list(files.splits(ledger)) == []


class TestWatching:
    def append(self, path: Path, data: bytes) -> None:
        with path.open("ab") as file:
            file.write(data)

    def test_a_growing_array_is_read_element_by_element(
        self, tmp_path: Path, watch: Watch, ledger: MemoryLedger
    ) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(b"[")
        reader = watch(rest_seconds=NEVER)
        nothing(reader)
        self.append(path, b'{"n":0},\n{"n":')
        seen = until(reader, records(1))
        nothing(reader)
        self.append(path, b'1}\n,{"n":2}')
        seen += until(reader, records(1))
        self.append(path, b"]\n")
        seen += until(reader, records(1))
        assert raws(seen) == numbers(3)
        assert failures(seen) == []
        ledger.settle(seen)
        layouts = {name.partition(";")[2]: cover for (_, name), cover in ledger.coverages.items()}
        assert layouts == {"": Coverage(((0, 0),), 0), "array": Coverage(((0, 28),), 28)}
        nothing(watch())

    def test_an_array_that_is_never_closed_is_a_failure_once_it_has_rested(
        self, tmp_path: Path, watch: Watch
    ) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(b'[{"n":0},{"n":1}')
        reader = watch(rest_seconds=NEVER)
        assert raws(until(reader, records(1))) == numbers(1)
        nothing(reader)
        os.utime(path, (0, 0))
        batches = until(reader, records(2))
        assert raws(batches) == [b'{"n":1}']
        assert ["is not closed" in failure.message for failure in failures(batches)] == [True]

    def test_a_growing_sequence_is_read_value_by_value(self, tmp_path: Path, watch: Watch) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(b'{"n":0}{"n":1}')
        reader = watch(rest_seconds=0)
        seen = until(reader, records(2))
        self.append(path, b'{"n":2}{"n":')
        seen += until(reader, records(2))
        assert raws(seen) == numbers(3)
        (failure,) = failures(seen)
        assert failure.origin.offset == 21
        self.append(path, b"3}")
        assert raws(until(reader, records(1))) == [b'{"n":3}']

    def test_one_value_without_an_end_of_line_waits_for_what_follows(
        self, tmp_path: Path, watch: Watch
    ) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(b'{"n":0}')
        reader = watch(rest_seconds=NEVER)
        nothing(reader)
        os.utime(path, (0, 0))
        assert raws(until(reader, records(1))) == numbers(1)

    def test_a_watch_reads_on_in_the_layout_of_the_run_before(
        self, tmp_path: Path, watch: Watch, ledger: MemoryLedger
    ) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(b"[" + b",".join(numbers(5)) + b"]")
        (stored,) = FilesSource(str(path)).storage.list(str(path))
        ledger.coverages[stored.uri, ARRAY.partition(stored.version)] = Coverage(((0, 8),))
        assert raws(until(watch(), records(4))) == numbers(5)[1:]
        other = MemoryLedger({(stored.uri, stored.version): Coverage(((0, 8),))})
        files = FilesSource(str(path), watch=True, poll_interval=0.05)
        reader = files.open(Split(files.uri, files.uri), (), other)
        with pytest.raises(ConfigError, match="was read as lines up to byte 8"):
            until(reader, records(1))
        reader.close()
