from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sources.files.source import FilesSource
from tests.io.sources.reading import MemoryLedger, failures, raws, read_all, read_split
from transforms.batch.record import Format, RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.parse.parse import ParseConfig, parse


def written(path: Path, table: pa.Table, **options: Any) -> FilesSource:
    pq.write_table(table, path, **options)
    return FilesSource(str(path), limits=BatchLimits(records=3))


def values(batches: list[RecordBatch]) -> list[Any]:
    return [value for batch in batches for value in batch.values or ()]


def value_of(path: Path, array: Any) -> Any:
    """The Python value that a column of one value is read as."""
    (row,) = values(read_all(written(path, pa.table({"x": array}))))
    return row["x"]


UID = UUID("6513270e-269e-4d37-b2a7-4de452e6b438")
TYPES: list[tuple[str, Any, Any]] = [
    ("int64", pa.array([2**62 + 1], pa.int64()), 2**62 + 1),
    ("uint64", pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
    ("float", pa.array([0.1], pa.float64()), 0.1),
    ("bool", pa.array([True]), True),
    ("text", pa.array(["é\0"]), "é\0"),
    ("null", pa.array([None], pa.int32()), None),
    ("binary", pa.array([b"\xff\0"]), b"\xff\0"),
    (
        "decimal",
        pa.array([Decimal("12345678901234567890123456.789")], pa.decimal128(38, 3)),
        Decimal("12345678901234567890123456.789"),
    ),
    ("date", pa.array([date(2026, 2, 3)]), date(2026, 2, 3)),
    ("time", pa.array([time(1, 2, 3, 4)]), time(1, 2, 3, 4)),
    ("time64ns", pa.array([1_001], pa.time64("ns")), time(0, 0, 0, 1)),
    (
        "timestamp",
        pa.array([datetime(2026, 1, 2, 3, 4, 5, 6)], pa.timestamp("us")),
        datetime(2026, 1, 2, 3, 4, 5, 6),
    ),
    (
        "timestamp with zone",
        pa.array([datetime(2026, 1, 2, 3, 4, 5, 6, UTC)], pa.timestamp("us", "Asia/Tokyo")),
        datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
    ),
    (
        "timestamp ns",
        pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "UTC")),
        datetime(2023, 11, 14, 22, 13, 20, 123456, UTC),
    ),
    ("duration", pa.array([1_500], pa.duration("ns")), timedelta(microseconds=1)),
    ("uuid", pa.array([UID.bytes], pa.uuid()), str(UID)),
    ("fixed binary", pa.array([UID.bytes], pa.binary(16)), UID.bytes),
    ("dictionary", pa.array(["a"]).dictionary_encode(), "a"),
    ("list", pa.array([[1, None]]), [1, None]),
    ("struct", pa.array([{"a": {"b": 1}}]), {"a": {"b": 1}}),
    (
        "list of ns",
        pa.array([[1_001]], pa.list_(pa.timestamp("ns"))),
        [datetime(1970, 1, 1, 0, 0, 0, 1)],
    ),
    (
        "map",
        pa.array([[("a", 1), ("b", None)]], pa.map_(pa.string(), pa.int32())),
        {"a": 1, "b": None},
    ),
    (
        "map with a key twice",
        pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int32())),
        [["a", 1], ["a", 2]],
    ),
    (
        "list of maps",
        pa.array([[[("a", UID.bytes)]]], pa.list_(pa.map_(pa.string(), pa.binary(16)))),
        [{"a": UID.bytes}],
    ),
]


@pytest.mark.parametrize(("array", "value"), [t[1:] for t in TYPES], ids=[t[0] for t in TYPES])
def test_values_are_exact_plain_python(tmp_path: Path, array: Any, value: Any) -> None:
    found = value_of(tmp_path / "a.parquet", array)
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, datetime):
        assert found.tzinfo == value.tzinfo


def test_raw_is_the_row_as_json_with_its_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "n": pa.array([Decimal("1.10")], pa.decimal128(38, 2)),
            "t": pa.array([datetime(2026, 1, 2, tzinfo=UTC)], pa.timestamp("us", "UTC")),
            "b": pa.array([b"\xff"]),
            "f": pa.array([1.5]),
        }
    )
    (batch,) = read_all(written(tmp_path / "a.parquet", table))
    (raw,) = batch.raws
    assert raw == (
        b'[{"n":"1.10","t":"2026-01-02T00:00:00Z","b":"/w==","f":1.5},'
        b'{"n":"decimal","t":"timestamp","b":"bytes","f":"float"}]'
    )
    assert batch.format == Format("parquet")


def spelled(value: Any) -> Any:
    """The value with the types of all its parts: NaN equals itself, -0.0 is not 0.0."""
    if isinstance(value, dict):
        return [(spelled(key), spelled(each)) for key, each in value.items()]
    if isinstance(value, list):
        return [spelled(each) for each in value]
    return type(value), repr(value)


def kept(batches: list[RecordBatch]) -> list[Any]:
    """What a retry makes of the bytes that were kept of the rows."""
    parsed = [parse(replace(batch, values=None), ParseConfig()) for batch in batches]
    assert len(failures(parsed)) == len(failures(batches))
    return values(parsed)


ARROW: list[tuple[Any, Any]] = [
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float64(), st.floats()),
    (pa.float32(), st.floats(width=32)),
    (pa.bool_(), st.booleans()),
    (pa.string(), st.text(st.characters(exclude_categories=["Cs"]))),
    (pa.binary(), st.binary()),
    (pa.binary(2), st.binary(min_size=2, max_size=2)),
    (pa.decimal128(20, 3), st.decimals(-(10**16), 10**16, places=3)),
    (pa.decimal256(60, 0), st.decimals(-(10**59), 10**59, places=0)),
    (pa.date32(), st.integers(-2_440_588, 2**31 - 1)),
    (pa.time32("ms"), st.integers(0, 86_400_000)),
    (pa.time64("us"), st.integers(0, 86_400_000_000)),
    (pa.time64("ns"), st.integers(0, 86_400_000_000_000)),
    (pa.timestamp("ms"), st.integers(-(2**62), 2**62)),
    (pa.timestamp("us"), st.integers(-(2**63), 2**63 - 1)),
    (pa.timestamp("us", "UTC"), st.integers(-(2**55), 2**55)),
    (pa.timestamp("ns"), st.integers(-(2**63), 2**63 - 1)),
    (pa.timestamp("ns", "Asia/Tokyo"), st.integers(-(10**9), 10**9)),
    (pa.duration("us"), st.integers(-(2**60), 2**60)),
]


@st.composite
def arrays(draw: st.DrawFn) -> pa.Array[Any]:
    """A column of three values, of any type that is tried."""
    kind, strategy = draw(st.sampled_from(ARROW))
    flat = draw(st.lists(st.none() | strategy, min_size=12, max_size=12))
    temporal = pa.types.is_temporal(kind)
    number = pa.int32() if temporal and kind.bit_width == 32 else pa.int64()
    leaf = pa.array(flat, number).view(kind) if temporal else pa.array(flat, kind)
    keys = pa.array(draw(st.lists(st.text("ab"), min_size=12, max_size=12)))
    form = draw(st.sampled_from(["flat", "list", "struct", "map", "list of structs", "keys"]))
    offsets: Any = pa.array([0, 1, 4, 7], pa.int32())
    if form == "list":
        return pa.ListArray.from_arrays(offsets, leaf)
    if form == "struct":
        return pa.StructArray.from_arrays([leaf[:3], keys[:3]], ["a", "b"])
    if form == "map":
        return pa.MapArray.from_arrays(offsets, keys, leaf)
    if form == "keys":
        held = leaf.drop_null()
        at = [0, min(1, len(held)), min(2, len(held)), len(held)]
        offsets = pa.array(at, pa.int32())
        return pa.MapArray.from_arrays(offsets, held, keys[: len(held)])
    if form == "list of structs":
        return pa.ListArray.from_arrays(
            offsets, pa.StructArray.from_arrays([leaf, leaf], ["a", "b"])
        )
    return leaf[:3]


@given(st.lists(arrays(), min_size=1, max_size=3))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
def test_what_is_kept_of_a_row_gives_back_what_was_read(
    tmp_path: Path, columns: list[pa.Array[Any]]
) -> None:
    table = pa.table({f"c{i}": column for i, column in enumerate(columns)})
    batches = read_all(written(tmp_path / "a.parquet", table))
    assert not failures(batches)
    assert spelled(kept(batches)) == spelled(values(batches))


@pytest.mark.parametrize("as_list", [False, True], ids=["column", "list"])
@pytest.mark.parametrize(
    ("numbers", "kind", "expected"),
    [
        ([2_932_897, -719_163], pa.date32(), ["10000-01-01", "0001-12-31 BC"]),
        (
            [253_402_300_800_000, 0],
            pa.timestamp("ms"),
            ["10000-01-01T00:00:00", datetime(1970, 1, 1)],
        ),
        (
            [253_402_300_800_000_001, None],
            pa.timestamp("us", "UTC"),
            ["10000-01-01T00:00:00.000001+00:00", None],
        ),
        ([86_400_000_000, 1], pa.time64("us"), ["24:00:00", time(0, 0, 0, 1)]),
        # Cut to the earlier microsecond, also before 1970.
        (
            [-1, 1_999],
            pa.timestamp("ns"),
            [datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime(1970, 1, 1, 0, 0, 0, 1)],
        ),
        ([-1, 1_999], pa.duration("ns"), [timedelta(microseconds=-1), timedelta(microseconds=1)]),
    ],
)
def test_dates_and_times_beyond_pythons_are_exact_text(
    tmp_path: Path, numbers: list[Any], kind: Any, expected: list[Any], as_list: bool
) -> None:
    number = pa.int32() if kind.bit_width == 32 else pa.int64()
    column: Any = pa.array(numbers, number).view(kind)
    if as_list:
        column = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), column)
        expected = [[value] for value in expected]
    batches = read_all(written(tmp_path / "a.parquet", pa.table({"x": column})))
    assert [row["x"] for row in values(batches)] == expected
    assert spelled(kept(batches)) == spelled(values(batches))


LOST: list[tuple[str, Any, Any, Any]] = [
    ("not UTF-8 at byte 1", pa.array([b"a\xff", b"ok"]), pa.string(), {"hex": "61ff"}),
    ("not within a day", pa.array([-1, 0], pa.int64()), pa.time64("us"), -1),
    ("not within a day", pa.array([90_000_000, 0], pa.int32()), pa.time32("ms"), 90_000_000),
    ("a duration of", pa.array([2**62, 0], pa.int64()), pa.duration("s"), 2**62),
]


@pytest.mark.parametrize("nested", [False, True], ids=["column", "nested"])
@pytest.mark.parametrize(("problem", "stored", "kind", "evidence"), LOST)
def test_a_value_that_cannot_be_read_fails_its_row_and_is_kept_as_stored(
    tmp_path: Path, problem: str, stored: Any, kind: Any, evidence: Any, nested: bool
) -> None:
    column: Any = stored.view(kind)
    if nested:
        column = pa.StructArray.from_arrays([column], ["in"])
    table = pa.table({"x": column, "n": [1, 2]})
    batches = read_all(written(tmp_path / "a.parquet", table))
    assert [value["n"] for value in values(batches)] == [2]
    assert [offset for batch in batches for offset in batch.offsets] == [1]
    (failure,) = failures(batches)
    assert (failure.origin.offset, failure.stage, failure.category) == (0, "read", "malformed")
    assert "column 'x'" in failure.message
    assert problem in failure.message
    row, _, unreadable = json.loads(failure.raw)
    assert row == {"n": 1}
    assert unreadable["x"]["stored"] == ([["in", evidence]] if nested else evidence)
    again = parse(
        replace(batches[0], offsets=[0], raws=[failure.raw], values=None, failures=()),
        ParseConfig(),
    )
    assert not again.values
    (replayed,) = again.failures
    assert (replayed.category, replayed.message) == ("malformed", failure.message)


@pytest.mark.parametrize("nested", [False, True], ids=["column", "nested"])
def test_int96_dates_are_read_whatever_their_year(tmp_path: Path, nested: bool) -> None:
    dates = [datetime(9999, 12, 31, 23, 59, 59, 999_999), datetime(1, 1, 1), datetime(1677, 9, 21)]
    column: Any = pa.array(dates, pa.timestamp("us"))
    expected: list[Any] = dates
    if nested:
        column = pa.array([[{"t": each}] for each in dates])
        expected = [[{"t": each}] for each in dates]
    source = written(
        tmp_path / "a.parquet", pa.table({"t": column}), use_deprecated_int96_timestamps=True
    )
    assert "int96" in str(pq.ParquetFile(tmp_path / "a.parquet").schema)
    assert [row["t"] for row in values(read_all(source))] == expected


def test_int96_nanoseconds_are_cut_as_those_of_timestamps_are(tmp_path: Path) -> None:
    column = pa.array([1_999, -1, -1_000, -1_001], pa.timestamp("ns"))
    table = pa.table({"t": column})
    plain = values(read_all(written(tmp_path / "a.parquet", table)))
    int96 = values(
        read_all(written(tmp_path / "b.parquet", table, use_deprecated_int96_timestamps=True))
    )
    assert int96 == plain


@pytest.mark.parametrize("day", [2**31 - 1, -(2**31), 5_373_485, 1_721_425])
def test_int96_beyond_the_years_that_writers_have_is_no_guess(tmp_path: Path, day: int) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"t.at": [datetime(2026, 1, 2), datetime(2026, 1, 3)], "n": [1, 2]})
    source = written(
        path,
        table,
        use_deprecated_int96_timestamps=True,
        use_dictionary=False,
        compression="none",
        write_statistics=False,
    )
    julian = (date(2026, 1, 2) - date(1970, 1, 1)).days + 2_440_588
    stored = bytes(8) + julian.to_bytes(4, "little", signed=True)
    data = path.read_bytes()
    assert data.count(stored) == 1
    path.write_bytes(data.replace(stored, bytes(8) + day.to_bytes(4, "little", signed=True)))
    batches = read_all(source)
    assert [row["n"] for row in values(batches)] == [2]
    (failure,) = failures(batches)
    assert failure.category == "malformed"
    assert "column 't.at'" in failure.message
    assert "beyond the years 1 to 9999" in failure.message


def numbers(n: int) -> pa.Table:
    return pa.table({"n": list(range(n)), "s": [f"row {i}" for i in range(n)]})


@pytest.mark.parametrize("group", [1, 4, 7, 100])
def test_positions_are_row_numbers_whatever_the_row_groups(tmp_path: Path, group: int) -> None:
    ledger = MemoryLedger()
    files = written(tmp_path / "a.parquet", numbers(20), row_group_size=group)
    batches = read_all(files, ledger)
    assert [value["n"] for value in values(batches)] == list(range(20))
    assert [offset for batch in batches for offset in batch.offsets] == list(range(20))
    assert all(len(batch.raws) <= 3 for batch in batches)
    (coverage,) = ledger.known.values()
    assert (coverage.ranges, coverage.end) == (((0, 20),), 20)


@pytest.mark.parametrize("group", [1, 4, 100])
@pytest.mark.parametrize("at", [0, 1, 4, 6, 19, 20])
def test_reading_on_at_a_row(tmp_path: Path, group: int, at: int) -> None:
    files = written(tmp_path / "a.parquet", numbers(20), row_group_size=group)
    (split,) = files.splits(MemoryLedger())
    batches = read_split(files, split, at=at)
    assert [value["n"] for value in values(batches)] == list(range(at, 20))
    assert (batches[0].span.start, batches[-1].span.end) == (at, 20)
    assert batches[-1].span.final


def test_no_rows_is_one_final_batch(tmp_path: Path) -> None:
    (batch,) = read_all(written(tmp_path / "a.parquet", numbers(0)))
    assert (batch.span.start, batch.span.end, batch.span.final, batch.read) == (0, 0, True, 0)


def test_wide_rows_come_in_small_batches(tmp_path: Path) -> None:
    # One value, repeated: small when stored, large when read.
    table = pa.table({"s": ["x" * 100_000] * 300})
    pq.write_table(table, tmp_path / "a.parquet")
    files = FilesSource(str(tmp_path / "a.parquet"), limits=BatchLimits(bytes=1_000_000))
    batches = read_all(files)
    assert sum(len(batch.raws) for batch in batches) == 300
    assert max(sum(map(len, batch.raws)) for batch in batches) <= 1_000_000


@pytest.mark.slow
def test_rows_that_turn_out_wide_are_decoded_in_smaller_steps(tmp_path: Path) -> None:
    table = pa.table({"s": ["x" * 100_000] * 6_000})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3_000)
    files = FilesSource(
        str(tmp_path / "a.parquet"), limits=BatchLimits(records=100, bytes=1_000_000)
    )
    (split,) = files.splits(MemoryLedger())
    reader = files.open(split, (), MemoryLedger())
    assert sum(len(batch.raws) for batch in reader.poll(5).batches) == 100
    assert 1 <= sum(len(batch.raws) for batch in reader.poll(5).batches) <= 10
    reader.close()


def test_what_is_no_parquet_is_one_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"no parquet at all")
    ledger = MemoryLedger()
    files = FilesSource(str(path))
    (failure,) = failures(read_all(files, ledger))
    assert (failure.category, failure.stage) == ("object_corrupt", "read")
    assert path.name in failure.message
    assert list(files.splits(ledger)) == []


def test_damage_leaves_the_row_groups_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    files = written(path, numbers(2_000), row_group_size=500, compression="gzip")
    group = pq.read_metadata(path).row_group(2).column(0)
    data = bytearray(path.read_bytes())
    start = group.dictionary_page_offset or group.data_page_offset
    data[start : start + 200] = bytes(200)
    path.write_bytes(bytes(data))
    ledger = MemoryLedger()
    batches = read_all(files, ledger)
    found = [value["n"] for value in values(batches)]
    assert found == list(range(len(found)))
    assert 990 <= len(found) <= 1_000
    (failure,) = failures(batches)
    assert failure.origin.offset == len(found)
    assert (batches[-1].span.end, batches[-1].span.final) == (2_000, True)


def test_changed_object_fails_and_is_no_mixture(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    files = written(path, numbers(10))
    (split,) = files.splits(MemoryLedger())
    written(path, numbers(11))
    batches = read_split(files, split)
    assert raws(batches) == []
    (failure,) = failures(batches)
    assert (failure.category, failure.exception) == ("object_changed", "ObjectFailed")
