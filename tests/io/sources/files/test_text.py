from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sources.files.csv.options import CsvOptions
from sources.files.source import FilesSource
from tests.io.sources.files.test_framing import reference, texts
from tests.io.sources.reading import (
    MemoryLedger,
    drained,
    failures,
    located,
    raws,
    read_all,
    read_split,
)
from transforms.batch.record import JSON, Format, Span
from transforms.batch.splits import BatchLimits, Split

reuses_tmp_path = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)


def source(path: Path, text: bytes, **options: object) -> FilesSource:
    path.write_bytes(text)
    return FilesSource(str(path), **options)  # type: ignore[arg-type]


@reuses_tmp_path
@given(text=texts, split_bytes=st.integers(1, 60), records=st.integers(1, 5))
def test_byte_ranges_partition_the_records(
    tmp_path: Path, text: bytes, split_bytes: int, records: int
) -> None:
    limits = BatchLimits(records=records)
    files = source(tmp_path / "a.jsonl", text, split_bytes=split_bytes, limits=limits)
    ledger = MemoryLedger()
    batches = read_all(files, ledger)
    assert located(batches) == reference(text)
    assert all(len(batch.raws) <= records for batch in batches)
    (coverage,) = ledger.coverages.values()
    assert coverage.complete
    assert coverage.end == len(text)
    assert [batch.span.final for batch in batches].count(True) == 1


@reuses_tmp_path
@given(text=texts, split_bytes=st.integers(1, 60), data=st.data())
def test_whatever_is_settled_the_rest_is_exactly_what_is_read(
    tmp_path: Path, text: bytes, split_bytes: int, data: st.DataObject
) -> None:
    limits = BatchLimits(records=1)
    files = source(tmp_path / "a.jsonl", text, split_bytes=split_bytes, limits=limits)
    first = [batch for split in files.splits(MemoryLedger()) for batch in read_split(files, split)]
    settled = data.draw(st.lists(st.sampled_from(first), unique_by=id))
    ledger = MemoryLedger()
    ledger.settle(settled)
    again = read_all(files, ledger)
    assert sorted(located([*settled, *again])) == reference(text)
    assert all(coverage.complete for coverage in ledger.coverages.values())
    assert list(files.splits(ledger)) == []


@reuses_tmp_path
@given(text=texts, extension=st.sampled_from(["jsonl", "jsonl.gz"]))
def test_reading_on_at_any_position_gives_the_remaining_records(
    tmp_path: Path, text: bytes, extension: str
) -> None:
    stored = gzip.compress(text) if extension.endswith("gz") else text
    limits = BatchLimits(records=2)
    files = source(tmp_path / f"a.{extension}", stored, limits=limits)
    (split,) = files.splits(MemoryLedger())
    whole = read_split(files, split)
    assert located(whole) == reference(text)
    for index, batch in enumerate(whole):
        rest = read_split(files, split, at=batch.span.end)
        assert located(rest) == located(whole[index + 1 :])
        assert rest[-1].span.final


def test_batches_keep_to_records_and_bytes(tmp_path: Path) -> None:
    text = b"".join(b'{"n":%04d}\n' % n for n in range(1_000))
    files = source(tmp_path / "a.jsonl", text, limits=BatchLimits(records=300, bytes=1_000_000))
    assert [len(batch.raws) for batch in read_all(files)] == [300, 300, 300, 100]
    files = source(tmp_path / "a.jsonl", text, limits=BatchLimits(records=300, bytes=1_100))
    sizes = [sum(map(len, batch.raws)) for batch in read_all(files)]
    assert len(sizes) == 10
    assert max(sizes) <= 1_100


def test_a_batch_says_where_its_records_come_from(tmp_path: Path) -> None:
    files = source(tmp_path / "a b.jsonl", b"\n1\n2\n")
    (batch,) = read_all(files)
    uri = f"file://{tmp_path}/a%20b.jsonl"
    (split,) = files.splits(MemoryLedger())
    assert batch.span == Span(uri, split.version, 0, 5, final=True)
    assert batch.format == JSON
    assert (batch.offsets, batch.raws, batch.values) == ([1, 3], [b"1", b"2"], None)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.jsonl.gz", "a.csv.zst", "a.json.bz2"])
def test_an_empty_object_is_one_final_batch(tmp_path: Path, name: str) -> None:
    (batch,) = read_all(source(tmp_path / name, b""))
    assert (batch.span.start, batch.span.end, batch.span.final) == (0, 0, True)
    assert batch.read == 0


def test_csv_carries_its_header(tmp_path: Path) -> None:
    text = b'id,name\r\n1,"a\r\nb"\r\n2,c\r\n'
    files = source(tmp_path / "a.csv", text, limits=BatchLimits(records=1))
    batches = read_all(files)
    assert raws(batches) == [b'1,"a\r\nb"', b"2,c"]
    assert {batch.format for batch in batches} == {Format("csv", ("id", "name"), ",")}
    assert (batches[0].span.start, batches[-1].span.end) == (0, len(text))


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz"])
def test_csv_read_on_later_has_its_header_again(tmp_path: Path, name: str) -> None:
    text = b"id\tname\n" + b"".join(b'%d\t"a\n%d"\n' % (n, n) for n in range(9))
    stored = gzip.compress(text) if name.endswith("gz") else text
    files = source(tmp_path / name, stored, limits=BatchLimits(records=4))
    (split,) = files.splits(MemoryLedger())
    whole = read_split(files, split)
    assert len(whole) >= 3
    rest = read_split(files, split, at=whole[0].span.end)
    assert located(rest) == located(whole[1:])
    assert rest[0].format == Format("csv", ("id", "name"), "\t")


def test_csv_with_a_header_that_needs_an_option_is_left_until_it_is_given(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    assert read_all(source(tmp_path / "a.csv", b'"a"x,b\n1,2\n'), ledger) == []
    assert ledger.coverages == {}
    files = FilesSource(str(tmp_path / "a.csv"), csv=CsvOptions(quote=""))
    assert raws(read_all(files, ledger)) == [b"1,2"]


def test_csv_with_trailing_commas_and_returns_is_read_on_as_it_was_begun(tmp_path: Path) -> None:
    text = b"id,name,\r" + b"".join(b'%d,"a\r%d",\r' % (n, n) for n in range(9))
    files = source(tmp_path / "a.csv", text, limits=BatchLimits(records=4))
    (split,) = files.splits(MemoryLedger())
    whole = read_split(files, split)
    assert whole[0].format.columns == ("id", "name", "")
    assert len(located(whole)) == 9
    assert located(read_split(files, split, at=whole[0].span.end)) == located(whole[1:])


def test_line_far_too_long_is_a_failure_and_its_neighbours_are_read(tmp_path: Path) -> None:
    text = b"1\n" + b"x" * 65_537 + b"\n" + b"y" * 65_536 + b"\n3\n"
    batches = read_all(source(tmp_path / "a.jsonl", text, max_record_bytes=10))
    assert raws(batches) == [b"1", b"y" * 65_536, b"3"]  # Parse rejects what is kept whole
    (failure,) = failures(batches)
    assert failure.origin.offset == 2
    assert (failure.stage, failure.category) == ("read", "too_large")
    assert failure.exception == "RecordTooLarge"
    assert failure.raw == b"x" * 65_536
    assert "65,537 bytes" in failure.message


def test_line_longer_than_many_ranges_belongs_to_the_first_only(tmp_path: Path) -> None:
    text = b"1\n" + b"x" * 70_000 + b"\n3\n"
    batches = read_all(source(tmp_path / "a.jsonl", text, max_record_bytes=10, split_bytes=5_000))
    assert raws(batches) == [b"1", b"3"]
    assert len(failures(batches)) == 1


def test_damaged_object_gives_what_lies_before_the_damage_and_one_failure(tmp_path: Path) -> None:
    text = b"".join(b'{"n":%d}\n' % n for n in range(5_000))
    stored = gzip.compress(text)[:-2_000]
    ledger = MemoryLedger()
    files = source(tmp_path / "a.jsonl.gz", stored, limits=BatchLimits(records=1_000))
    batches = read_all(files, ledger)
    whole = reference(text)
    good = located(batches)
    assert 2_000 < len(good) < 5_000
    assert good == whole[: len(good)]
    (failure,) = failures(batches)
    assert (failure.category, failure.exception) == ("object_corrupt", "ObjectFailed")
    assert failure.origin.offset == whole[len(good)][0]
    assert failure.raw == b""
    assert batches[-1].span.final
    assert list(files.splits(ledger)) == [], "a damaged object is not read for ever"


def test_object_damaged_at_its_first_byte_is_settled(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    files = source(tmp_path / "a.jsonl.zst", b"\0no zstd")
    (batch,) = read_all(files, ledger)
    assert (batch.span.start, batch.span.end, batch.span.final, batch.read) == (0, 1, True, 1)
    assert list(files.splits(ledger)) == []


def test_unknown_format_among_known_ones_is_a_failure_of_that_object(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_bytes(b"1\n")
    source(tmp_path / "README", b"hello")
    batches = read_all(FilesSource(f"{tmp_path}/*"))
    assert raws(batches) == [b"1"]
    (failure,) = failures(batches)
    assert failure.category == "unknown_format"
    assert "--format" in failure.message


class TestChangedFile:
    """A file that changes under its reader is never a mixture of two versions."""

    old = b"".join(b'{"old":%06d}\n' % n for n in range(100_000))

    def reader_halfway(self, path: Path) -> tuple[FilesSource, Split, list[bytes]]:
        files = source(path, self.old, limits=BatchLimits(records=1_000))
        (split,) = files.splits(MemoryLedger())
        self.reader = files.open(split, (), MemoryLedger())
        return files, split, raws(self.reader.poll(5).batches)

    def check_rest(self, path: Path, split: Split, first: list[bytes]) -> None:
        batches = drained(self.reader)
        good = first + raws(batches)
        assert good == self.old.splitlines()[: len(good)]
        assert len(good) < 100_000
        (failure,) = failures(batches)
        assert failure.category == "object_changed"
        assert path.name in failure.message
        assert (batches[-1].span.end, batches[-1].span.final) == (split.size, True)

    def test_appended(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        _, split, first = self.reader_halfway(path)
        with path.open("ab") as file:
            file.write(b'{"new":1}\n')
        self.check_rest(path, split, first)

    def test_overwritten_in_place_with_as_many_bytes(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        _, split, first = self.reader_halfway(path)
        with path.open("r+b") as file:
            file.write(self.old.replace(b"old", b"new"))
        os.utime(path, ns=(1, 1))
        self.check_rest(path, split, first)

    def test_replaced_before_it_is_opened(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        files, split, _ = self.reader_halfway(path)
        path.with_suffix(".new").write_bytes(b"1\n")
        path.with_suffix(".new").replace(path)
        (failure,) = failures(read_split(files, split))
        assert failure.category == "object_changed"

    def test_removed_before_it_is_opened(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        files, split, _ = self.reader_halfway(path)
        path.unlink()
        (failure,) = failures(read_split(files, split))
        assert failure.category == "object_missing"

    def test_every_range_reports_for_itself(self, tmp_path: Path) -> None:
        ledger = MemoryLedger()
        path = tmp_path / "a.jsonl"
        files = source(path, b"1\n2\n3\n", split_bytes=2)
        splits = list(files.splits(ledger))
        path.write_bytes(b"other\n")
        batches = [batch for split in splits for batch in read_split(files, split)]
        assert [(b.span.start, b.span.end, len(b.failures)) for b in batches] == [
            (0, 2, 1),
            (2, 4, 1),
            (4, 6, 1),
        ]
        assert [batch.span.final for batch in batches] == [False, False, True]


def test_a_poll_returns_at_its_time_out_when_nothing_has_come(tmp_path: Path) -> None:
    files = source(tmp_path / "a.jsonl", b"x" * (5 << 20), max_record_bytes=16 << 20)
    (split,) = files.splits(MemoryLedger())
    reader = files.open(split, (), MemoryLedger())
    polled = reader.poll(0)
    assert polled.batches == ()
    assert polled.position == (("", 0),)
    assert not polled.done
    assert [len(raw) for raw in raws(drained(reader))] == [5 << 20]


def test_backlog_falls_to_nothing(tmp_path: Path) -> None:
    text = b"1\n" * 100
    files = source(tmp_path / "a.jsonl", text, limits=BatchLimits(records=50))
    (split,) = files.splits(MemoryLedger())
    reader = files.open(split, (), MemoryLedger())
    left = [reader.backlog()]
    while not reader.poll(5).done:
        left.append(reader.backlog())
    assert [*left, reader.backlog()] == [200, 100, 0]
