from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.io.sources.files.parquet.writing import replayed, spelled, values, written
from tests.io.sources.reading import failures, read_all
from transforms.batch.record import Format


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
    assert spelled(replayed(batches)) == spelled(values(batches))
