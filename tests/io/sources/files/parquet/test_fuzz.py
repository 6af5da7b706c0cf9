"""Made-up Parquet files, however they are laid out, have the rows that pyarrow reads of them.

``PARQUET_EXAMPLES`` sets how many files are made up, and each of them is read from every place; without it,
there are 40, read from some places (``make fuzz-parquet`` has the whole). ``PARQUET_SUITES`` names a folder whose Parquet
files are compared too.
"""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from sources.files.source import FilesSource
from tests.io.sources.files.parquet.comparing import pyarrows_rows, rows_of, spelled
from tests.io.sources.reading import MemoryLedger, failures, read_split
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits

EXAMPLES = int(os.environ.get("PARQUET_EXAMPLES", "40"))
SUITES = os.environ.get("PARQUET_SUITES", "")

WHOLE: dict[Any, st.SearchStrategy[Any]] = {
    pa.int8(): st.integers(-128, 127),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float32(): st.floats(width=32),
    pa.float64(): st.floats(),
    pa.bool_(): st.booleans(),
    pa.string(): st.text(st.characters(codec="utf-8"), max_size=20),
    pa.large_string(): st.sampled_from(["a", "b", "ab" * 300]),
    pa.binary(): st.binary(max_size=20),
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.date32(): st.dates(),
    pa.time64("us"): st.times(),
    pa.timestamp("ms"): st.datetimes().map(lambda each: each.replace(microsecond=0)),
    pa.timestamp("us", "UTC"): st.datetimes(timezones=st.just(UTC)),
    pa.duration("us"): st.timedeltas(timedelta(-10_000), timedelta(10_000)),
    pa.decimal128(20, 3): st.decimals(-(10**15), 10**15, places=3),
}

types = st.recursive(
    st.sampled_from(list(WHOLE)),
    lambda inner: st.one_of(
        inner.map(pa.list_),
        st.lists(inner, min_size=1, max_size=2).map(
            lambda kinds: pa.struct([(f"f{i}", kind) for i, kind in enumerate(kinds)])
        ),
        inner.map(lambda item: pa.map_(pa.string(), item)),
    ),
    max_leaves=4,
)


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type, and None."""
    of: st.SearchStrategy[Any]
    if pa.types.is_map(kind):
        of = st.dictionaries(st.text("abc", max_size=2), values_of(kind.item_type), max_size=3).map(
            lambda each: list(each.items())
        )
    elif pa.types.is_list(kind):
        of = st.lists(values_of(kind.value_type), max_size=4)
    elif pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        of = st.fixed_dictionaries({each.name: values_of(each.type) for each in fields})
    else:
        of = WHOLE[kind]
    return st.none() | of


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    kinds = draw(st.lists(types, min_size=1, max_size=4))
    count = draw(st.integers(0, 30))
    columns = {"n": pa.array(range(count), pa.int64())}
    for number, kind in enumerate(kinds):
        rows = draw(st.lists(values_of(kind), min_size=count, max_size=count))
        columns[f"c{number}"] = pa.array(rows, kind)
    return pa.table(columns)


layouts = st.fixed_dictionaries(
    {
        "row_group_size": st.integers(1, 40),
        "data_page_size": st.sampled_from([1, 100, 1 << 20]),
        "compression": st.sampled_from(["none", "snappy", "gzip", "zstd", "brotli", "lz4"]),
        "use_dictionary": st.booleans(),
        "dictionary_pagesize_limit": st.sampled_from([1, 1 << 20]),
        "version": st.sampled_from(["1.0", "2.4", "2.6"]),
        "data_page_version": st.sampled_from(["1.0", "2.0"]),
        "write_page_index": st.booleans(),
        "store_schema": st.booleans(),
        "write_statistics": st.booleans(),
    }
)


def values(batches: list[RecordBatch]) -> list[Any]:
    return [value for batch in batches for value in batch.values or ()]


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not os.environ.get("PARQUET_EXAMPLES"),
    suppress_health_check=list(HealthCheck),
)
@given(tables(), layouts, st.integers(1, 9))
def test_rows_are_those_of_pyarrow_wherever_reading_begins(
    table: pa.Table, layout: dict[str, Any], records: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        pq.write_table(table, path, **layout)
        try:
            expected = pyarrows_rows(path)
        except pa.ArrowInvalid:  # pyarrow cannot read every table that it writes
            reject()
        batches = rows_of(path, records)
        assert not failures(batches)
        assert spelled(values(batches)) == spelled(expected)
        source = FilesSource(str(path), limits=BatchLimits(records=records))
        (split,) = source.splits(MemoryLedger())
        brief = "PARQUET_EXAMPLES" not in os.environ  # some of where reading may begin
        for batch in batches[:: max(1, len(batches) // 5)] if brief else batches:
            at = batch.span.start
            assert spelled(values(read_split(source, split, at=at))) == spelled(expected[at:])


SHORT = {
    "int8": pa.array([1, -128, None], pa.int8()),
    "uint64": pa.array([0, 2**64 - 1, None], pa.uint64()),
    "half": pa.array([1.5, float("-inf"), None], pa.float16()),
    "float": pa.array([0.1, float("nan"), None], pa.float32()),
    "double": pa.array([-0.0, float("inf"), None]),
    "decimal32": pa.array([Decimal("1.25"), Decimal("-9.99"), None], pa.decimal32(3, 2)),
    "decimal128": pa.array([Decimal(10**37), Decimal(-1), None], pa.decimal128(38)),
    "decimal256": pa.array([Decimal(10**75), Decimal(-1), None], pa.decimal256(76)),
    "null": pa.nulls(3),
    "bool": pa.array([True, False, None]),
    "text": pa.array(["ä", "", None]),
    "large text": pa.array(["ä", "", None], pa.large_string()),
    "text view": pa.array(["ä" * 20, "", None], pa.string_view()),
    "bytes": pa.array([b"\xff", b"", None]),
    "large bytes": pa.array([b"\xff", b"", None], pa.large_binary()),
    "bytes view": pa.array([b"\xff" * 20, b"", None], pa.binary_view()),
    "fixed bytes": pa.array([b"\x00\xff", b"ab", None], pa.binary(2)),
    "date": pa.array([date(1, 1, 1), date(9999, 12, 31), None]),
    "date64": pa.array([date(1, 1, 1), date(9999, 12, 31), None], pa.date64()),
    "time ms": pa.array([time(1, 2, 3, 4_000), time.min, None], pa.time32("ms")),
    "time ns": pa.array([1_999, 86_399_999_999_999, None], pa.time64("ns")),
    "timestamp s": pa.array([datetime(1900, 1, 1), datetime(2100, 1, 1), None], pa.timestamp("s")),
    "timestamp ns": pa.array([1_999, -1, None], pa.timestamp("ns")),
    "timestamp zone": pa.array([0, -1, None], pa.timestamp("us", "Asia/Tokyo")),
    "duration s": pa.array([1, -1, None], pa.duration("s")),
    "duration ns": pa.array([1_999, -1, None], pa.duration("ns")),
    "dictionary": pa.array(["a", None, "a"]).dictionary_encode(),
    "dictionary of numbers": pa.array([7, None, 7]).dictionary_encode(),
    "list": pa.array([[1, None], [], None]),
    "large list": pa.array([[b"\xff"], [], None], pa.large_list(pa.binary())),
    "fixed list": pa.array([[1, 2], [3, None]], pa.list_(pa.int32(), 2)),
    "list of lists": pa.array([[[1], [], None], [], None]),
    "list of dictionaries": pa.array(
        [["a", "a"], [], None], pa.list_(pa.dictionary(pa.int32(), pa.string()))
    ),
    "struct": pa.array([{"a": 1, "b": [date(2026, 1, 1)]}, {"a": None, "b": None}, None]),
    "struct with nanoseconds": pa.array(
        [{"t": -1}, {"t": 1_001}, None], pa.struct([("t", pa.timestamp("ns"))])
    ),
    "map": pa.array([[("a", 1.5), ("b", None)], [], None], pa.map_(pa.string(), pa.float64())),
    "map of numbers": pa.array([[(1, "a")], [], None], pa.map_(pa.int64(), pa.string())),
    "map of dates": pa.array(
        [[(date(2026, 1, 1), b"x")], [], None], pa.map_(pa.date32(), pa.binary())
    ),
    "map with a key twice": pa.array(
        [[("a", 1), ("a", 2)], [], None], pa.map_(pa.string(), pa.int64())
    ),
    "uuid": pa.array([b"\x00" * 16, b"\xff" * 16, None], pa.uuid()),
    "json": pa.array(['{"a":1}', "[]", None], pa.json_()),
    "list of uuids": pa.ListArray.from_arrays(
        [0, 1, 1, 2], pa.array([b"\x00" * 16, None], pa.uuid())
    ),
}
"""A column of every type that pyarrow writes."""


@pytest.mark.parametrize("dictionary", [True, False], ids=["dictionary", "plain"])
@pytest.mark.parametrize("store_schema", [True, False], ids=["arrow", "parquet"])
@pytest.mark.parametrize("name", SHORT)
def test_a_value_of_every_type_is_pyarrows(
    tmp_path: Path, name: str, store_schema: bool, dictionary: bool
) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"c": SHORT[name]})
    pq.write_table(table, path, store_schema=store_schema, use_dictionary=dictionary)
    batches = rows_of(path)
    assert not failures(batches)
    assert spelled(values(batches)) == spelled(pyarrows_rows(path))


@pytest.mark.skipif(not SUITES, reason="PARQUET_SUITES names no folder")
def test_every_file_of_a_suite_that_pyarrow_reads_has_its_rows() -> None:
    read = 0
    differing = []
    for path in sorted(Path(SUITES).rglob("*.parquet")):
        try:
            expected = pyarrows_rows(path)
        except Exception:  # noqa: BLE001 - whatever it is, pyarrow does not read the file
            rows_of(path)  # raises nothing
            continue
        read += 1
        batches = rows_of(path)
        # Where pyarrow wraps a time around the clock, the row is refused.
        dead = {each.origin.offset for each in failures(batches) if each.category == "malformed"}
        expected = [row for i, row in enumerate(expected) if i not in dead]
        if spelled(values(batches)) != spelled(expected):
            differing.append(str(path))
    assert not differing
    assert read, "no file was read"
