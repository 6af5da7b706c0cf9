"""How objects are to be read where compression, format and layout of JSON meet."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sources.files.formats import LOOK, StoredFormat, stored_format_of
from sources.files.json.layout import ARRAY, LINES, SEQUENCE, Layout
from sources.files.json.options import JsonOptions
from sources.files.manner import Manner, Manners, Seen
from sources.files.plan import SettledSoFar
from sources.files.source import FilesSource
from sources.storage.objects import StoredObject
from tests.io.sources.reading import MemoryLedger, failures, raws, read_all, read_split
from transforms import notes
from transforms.batch.coverage import Coverage
from transforms.batch.splits import BatchLimits, Split
from transforms.errors import ConfigError, ObjectFailed, ObjectUnavailable

ELEMENTS = [b'{"n":%d}' % n for n in range(200)]
ARRAY_TEXT = b"[" + b",".join(ELEMENTS) + b"]"
INDENTED = json.dumps([{"n": n} for n in range(9)], indent=2).encode()
BEGUN_AS_LINES = SettledSoFar(Coverage(((0, 7),)), LINES)
ONE = BatchLimits(records=1)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    notes.reset()
    yield
    notes.reset()


@dataclass
class Looks:
    """Answers every look in the same way, and counts them."""

    seen: Seen | Exception
    at: list[str] = field(default_factory=list)

    def __call__(self, stored: StoredObject) -> Seen:
        self.at.append(stored.uri)
        if isinstance(self.seen, Exception):
            raise self.seen
        return self.seen


def decided(
    looks: Looks,
    name: str,
    *,
    size: int = 10,
    wanted: Layout | None = None,
    settled: SettledSoFar = SettledSoFar(),  # noqa: B008 - frozen
) -> Manner:
    manners = Manners(stored_format_of, wanted, 100, looks)
    return manners.of(StoredObject(f"s3://b/{name}", "v", size), settled)


class TestOf:
    def test_a_small_object_is_not_looked_at_before_it_is_read(self) -> None:
        looks = Looks(Seen(ARRAY, in_order=False))
        assert decided(looks, "a.json") == Manner(StoredFormat("jsonl"), None)
        assert decided(looks, "a") == Manner(StoredFormat(LOOK), None)
        assert decided(looks, "a.csv") == Manner(StoredFormat("csv"), LINES)
        assert looks.at == []

    @pytest.mark.parametrize("wanted", [None, LINES])
    def test_a_large_one_is_looked_at_once_for_all_that_forbids_ranges(
        self, wanted: Layout | None
    ) -> None:
        named = StoredFormat("jsonl")
        for seen, stored_format in (
            (Seen(LINES, in_order=False), named),
            (Seen(ARRAY, in_order=False), named),
            (Seen(ARRAY, in_order=True), None),
        ):
            looks = Looks(seen)
            manner = decided(looks, "a.json", size=101, wanted=wanted)
            assert manner == Manner(stored_format, seen.layout)
            assert len(looks.at) == 1

    def test_one_that_is_never_cut_is_not_looked_at(self) -> None:
        looks = Looks(Seen(LINES, in_order=False))
        for name, wanted in (("a.json", ARRAY), ("a.json.gz", None), ("a", None)):
            decided(looks, name, size=101, wanted=wanted)
        assert looks.at == []

    @pytest.mark.parametrize("error", [ObjectFailed("x", "object_corrupt"), ObjectUnavailable("x")])
    def test_one_that_cannot_be_looked_at_is_left_to_its_reader(self, error: Exception) -> None:
        assert decided(Looks(error), "a.json", size=101) == Manner(None, None)

    @pytest.mark.parametrize("name", ["a.json", "a"])
    def test_what_was_begun_as_lines_goes_on_only_if_it_has_lines(self, name: str) -> None:
        looks = Looks(Seen(LINES, in_order=False))
        assert decided(looks, name, settled=BEGUN_AS_LINES).layout == LINES
        with pytest.raises(ConfigError, match=r"was read as lines up to byte 7 .* as array now"):
            decided(Looks(Seen(ARRAY, in_order=False)), name, settled=BEGUN_AS_LINES)

    def test_rows_of_a_table_that_has_no_suffix_are_no_lines_of_json(self) -> None:
        csv = Looks(Seen(LINES, in_order=False))
        assert decided(csv, "a", wanted=ARRAY, settled=BEGUN_AS_LINES).layout == LINES

    def test_what_was_begun_as_an_array_goes_on_unseen(self) -> None:
        looks = Looks(Seen(LINES, in_order=False))
        begun = SettledSoFar(Coverage(((0, 7),)), ARRAY)
        for name in ("a.json", "a"):
            assert decided(looks, name, size=101, settled=begun).layout == ARRAY
            with pytest.raises(ConfigError, match="was read as array"):
                decided(looks, name, wanted=SEQUENCE, settled=begun)
        assert looks.at == []


def test_what_is_told_by_looking_may_have_been_read_in_any_layout() -> None:
    manners = Manners(stored_format_of, None, 100, Looks(Seen(LINES, in_order=False)))
    layouts = [
        manners.layouts_of(StoredObject(f"s3://b/{name}", "v", 1))
        for name in ("a.json", "a", "a.csv", "a.avro")
    ]
    assert layouts == [[ARRAY, SEQUENCE], [ARRAY, SEQUENCE], [], []]


@pytest.mark.parametrize("name", ["events", "events.txt", "events.log.gz", "events.json"])
@pytest.mark.parametrize("text", [ARRAY_TEXT, INDENTED, b"".join(ELEMENTS)])
@pytest.mark.parametrize("compressed", [True, False])
def test_compression_then_format_then_layout(
    tmp_path: Path, name: str, text: bytes, compressed: bool
) -> None:
    (tmp_path / name).write_bytes(gzip.compress(text) if compressed else text)
    files = FilesSource(f"{tmp_path}/*")
    files.check()
    batches = read_all(files)
    assert failures(batches) == []
    expected = [json.loads(raw) for raw in ELEMENTS]
    assert [json.loads(raw) for raw in raws(batches)] == expected[: len(raws(batches))]
    assert len(raws(batches)) == (9 if text == INDENTED else 200)
    layout = "array" if text.startswith(b"[") else "sequence"
    assert {batch.span.partition.partition(";")[2] for batch in batches} == {layout}


def test_a_sequence_with_record_separators_needs_no_suffix(tmp_path: Path) -> None:
    (tmp_path / "events").write_bytes(b"\x1e" + b"\n\x1e".join(ELEMENTS[:3]) + b"\n")
    assert raws(read_all(FilesSource(f"{tmp_path}/*"))) == ELEMENTS[:3]


@pytest.mark.parametrize("encoding", ["", "utf-16"])
@pytest.mark.parametrize("wanted", [JsonOptions(), JsonOptions("array")])
def test_a_large_array_that_is_not_as_its_name_says_is_read_in_order(
    tmp_path: Path, encoding: str, wanted: JsonOptions
) -> None:
    data = ARRAY_TEXT.decode().encode(encoding) if encoding else gzip.compress(ARRAY_TEXT)
    (tmp_path / "a.json").write_bytes(data)
    files = FilesSource(f"{tmp_path}/*", split_bytes=64, json=wanted, limits=ONE)
    ledger = MemoryLedger()
    (split,) = files.splits(ledger)
    batches = read_split(files, split)
    assert (raws(batches), failures(batches)) == (ELEMENTS, [])
    ledger.settle(batches[:150])  # beyond the size of the compressed one
    assert raws(read_all(files, ledger)) == ELEMENTS[150:]
    assert list(files.splits(ledger)) == []


@pytest.mark.parametrize("wanted", [JsonOptions(), JsonOptions("lines")])
def test_large_lines_that_are_compressed_are_not_cut(tmp_path: Path, wanted: JsonOptions) -> None:
    (tmp_path / "a.json").write_bytes(gzip.compress(b"\n".join(ELEMENTS)))
    files = FilesSource(f"{tmp_path}/*", split_bytes=64, json=wanted)
    assert len(list(files.splits(MemoryLedger()))) == 1
    assert raws(read_all(files)) == ELEMENTS


def test_what_planning_has_seen_is_noted_once_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(gzip.compress(ARRAY_TEXT))
    files = FilesSource(f"{tmp_path}/*", split_bytes=64)
    (split,) = files.splits(MemoryLedger())
    assert list(notes.noted()) == []
    read_split(files, split)
    assert [(note.group, note.count) for note in notes.noted()] == [("gzip", 1)]


@pytest.mark.parametrize("layout", ["auto", "lines", "array", "sequence"])
def test_binary_data_is_one_failure_in_every_layout(tmp_path: Path, layout: str) -> None:
    (tmp_path / "a.json").write_bytes(b"PK\x03\x04" + b"{\n" * 200)
    files = FilesSource(f"{tmp_path}/*", json=JsonOptions(layout), split_bytes=64)
    (failure,) = failures(read_all(files))
    assert "holds a zip archive or a spreadsheet, not JSON" in failure.message


@pytest.mark.parametrize("compressed", [True, False])
def test_an_array_without_a_suffix_goes_on_where_it_was(tmp_path: Path, compressed: bool) -> None:
    (tmp_path / "a").write_bytes(gzip.compress(ARRAY_TEXT) if compressed else ARRAY_TEXT)
    files = FilesSource(f"{tmp_path}/*", limits=ONE)
    ledger = MemoryLedger()
    (split,) = files.splits(ledger)
    whole = read_split(files, split)
    assert raws(read_split(files, split, at=whole[3].span.end)) == ELEMENTS[4:], "in one run"
    ledger.settle(whole[:150])
    assert raws(read_all(files, ledger)) == ELEMENTS[150:]
    assert list(files.splits(ledger)) == []
    assert {partition.rpartition(";")[2] for _, partition in ledger.coverages} == {"array"}


def test_an_array_without_a_suffix_that_was_begun_as_lines_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(INDENTED)
    ledger = MemoryLedger()
    lines = FilesSource(f"{tmp_path}/*", json=JsonOptions("lines"), limits=ONE)
    (split,) = lines.splits(ledger)
    ledger.settle(read_split(lines, split)[:2])
    with pytest.raises(ConfigError, match=r"was read as lines .* give --json_layout lines"):
        list(FilesSource(f"{tmp_path}/*").splits(ledger))


def test_a_watch_reads_on_in_the_layout_of_an_object_without_a_suffix(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(ARRAY_TEXT)
    files = FilesSource(f"{tmp_path}/*", watch=True, poll_interval=0.05, rest_seconds=0)
    (stored,) = files.storage.list(files.uri)
    ledger = MemoryLedger({(stored.uri, ARRAY.partition(stored.version)): Coverage(((0, 8),))})
    reader = files.open(Split(files.uri, files.uri), (), ledger)
    read: list[bytes] = []
    while len(read) < 199:
        read += raws(list(reader.poll(5.0).batches))
    reader.close()
    assert read == ELEMENTS[1:]
