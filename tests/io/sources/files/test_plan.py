from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.files.formats import StoredFormat
from sources.files.json.layout import ARRAY, LINES, Layout
from sources.files.plan import Expected, Part, SettledSoFar, part_of, splits_of, unsettled
from sources.storage.objects import StoredObject
from tests.io.sources.reading import MemoryLedger
from transforms import instruments
from transforms.batch.coverage import Coverage, merge, subtract
from transforms.batch.splits import Split

JSONL = StoredFormat("jsonl")
OBJECT = StoredObject("s3://b/a", "v", 100)


def planned(
    *ranges: tuple[int, int],
    end: int | None = None,
    stored_format: StoredFormat | None = JSONL,
    cut: int = 60,
) -> list[tuple[int, int, int | None]]:
    splits = splits_of("s3://b/*", OBJECT, Coverage(ranges, end), stored_format, cut)
    return [(split.start, split.size, split.end) for split in splits]


def test_plain_lines_are_cut_in_ranges() -> None:
    assert planned() == [(0, 60, 60), (60, 40, None)]


def test_each_gap_is_a_split() -> None:
    assert planned((0, 10), (30, 40), end=100) == [(10, 20, 30), (40, 60, None)]
    assert planned((0, 10), (30, 100), end=100) == [(10, 20, 30)]


def test_complete_object_has_no_split() -> None:
    assert planned((0, 100), end=100) == []


def test_object_read_to_its_end_and_not_closed_is_closed() -> None:
    assert planned((0, 100)) == [(100, 0, None)]


@pytest.mark.parametrize(
    "stored_format", [StoredFormat("jsonl", "gzip"), StoredFormat("parquet"), None]
)
def test_others_are_read_from_the_first_gap_on(stored_format: StoredFormat | None) -> None:
    assert planned(stored_format=stored_format) == [(0, 100, None)]
    assert planned((0, 10), (30, 40), stored_format=stored_format) == [(10, 100, None)]
    assert planned((5, 40), stored_format=stored_format) == [(0, 100, None)]


def test_plain_csv_is_read_from_the_first_gap_on() -> None:
    assert planned((0, 10), (30, 40), stored_format=StoredFormat("csv")) == [(10, 90, None)]


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 50))),
    st.integers(1, 120),
)
def test_ranges_cover_the_gaps_exactly(settled: list[tuple[int, int]], cut: int) -> None:
    ranges = merge((low, min(100, low + size)) for low, size in settled)
    splits = list(splits_of("s3://b/*", OBJECT, Coverage(ranges), JSONL, cut))
    parts = [part_of(split, JSONL, ()) for split in splits]
    assert merge((p.start, p.end or -1) for p in parts if p.start != p.end) == tuple(
        subtract(0, 100, ranges)
    )
    assert all(0 <= split.size <= cut for split in splits)
    assert [part.final for part in parts].count(True) == (
        1 if parts and parts[-1].end == 100 else 0
    )


def test_part_of_a_position_begins_there_and_ends_as_planned() -> None:
    csv = StoredFormat("csv")
    (split,) = splits_of("s3://b/*", OBJECT, Coverage(((0, 10),)), csv, 60)
    assert part_of(split, csv, (("", 30),)) == Part("s3://b/a", "v", csv, 30, 100, True, 90)


def test_compressed_end_is_unknown() -> None:
    gzip = StoredFormat("jsonl", "gzip")
    part = part_of(Split("s3://b/*", "s3://b/a", "v", 100), gzip, ())
    assert (part.end, part.final, part.size) == (None, True, 100)


def test_ledger_is_asked_a_page_at_a_time_and_only_as_far_as_needed() -> None:
    listed = []

    def objects() -> object:
        for n in range(100_000):
            listed.append(n)
            yield StoredObject(f"s3://b/{n}", "v", 1)

    ledger = MemoryLedger(
        {
            ("s3://b/7", "v"): Coverage(((0, 1),), 1),
            ("s3://b/8", "v;array"): Coverage(((0, 1),), 1),
            ("s3://b/9", "v;array"): Coverage(((0, 1),)),
        }
    )
    pages = unsettled(objects(), ledger, lambda stored: [ARRAY], lambda page, _: {})  # type: ignore[arg-type]
    taken = {stored.uri: settled for stored, settled in islice(pages, 1_500)}
    assert ledger.queries == [1_000, 999, 1_000, 1_000]
    assert len(listed) == 2_000
    complete = [uri for uri, settled in taken.items() if settled.coverage.complete]
    assert complete == ["s3://b/7", "s3://b/8"]
    assert [taken[f"s3://b/{n}"].layout for n in (6, 7, 8, 9)] == [None, LINES, ARRAY, ARRAY]


@pytest.fixture
def expected(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What is counted as expected of each source."""
    counted: dict[str, int] = {}

    def add(name: str, amount: float, source: str) -> None:
        assert name == "stored_bytes_planned"
        counted[source] = counted.get(source, 0) + int(amount)

    monkeypatch.setattr(instruments, "add", add)
    return counted


def test_the_bytes_of_a_page_are_expected_before_its_first_object(expected: dict[str, int]) -> None:
    objects = [StoredObject(f"s3://b/{n}", "v", 10) for n in range(1_001)]
    ledger = MemoryLedger({("s3://b/0", "v"): Coverage(((0, 4),))})
    told = Expected("s3://b/*")
    planned = unsettled(objects, ledger, lambda stored: [], lambda page, _: {}, told)
    next(planned)
    assert expected == {"s3://b/*": 9_990}, "all of the first page, but what is settled in part"
    list(planned)
    assert expected == {"s3://b/*": 10_000}


def test_splits_count_what_no_page_has_told(expected: dict[str, int]) -> None:
    told = Expected("s")
    whole, part = StoredObject("a", "v", 100), StoredObject("b", "v", 50)
    told.page([(whole, SettledSoFar()), (part, SettledSoFar(Coverage(((0, 20),)), LINES))])
    assert expected == {"s": 100}
    for size in (60, 40, 30):
        told.split(size)
    assert expected == {"s": 130}


def test_an_array_is_one_split_that_names_its_layout() -> None:
    (split,) = splits_of("s3://b/*", OBJECT, Coverage(((0, 10),)), JSONL, 60, ARRAY)
    assert split == Split("s3://b/*", "s3://b/a", "v;array", 90, 10)
    part = part_of(split, JSONL, ())
    assert (part.version, part.layout, part.end) == ("v", ARRAY, 100)


@pytest.mark.parametrize(
    ("split", "layout"),
    [
        (Split("s", "s3://b/a", "v", 100), None),
        (Split("s", "s3://b/a", "v", 40, 60), LINES),
        (Split("s", "s3://b/a", "v", 60, 0, 60), LINES),
    ],
)
def test_only_a_whole_object_is_looked_at_for_its_layout(
    split: Split, layout: Layout | None
) -> None:
    assert part_of(split, JSONL, (("", 70),)).layout == layout
