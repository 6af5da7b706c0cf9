from __future__ import annotations

from hashlib import sha256

import pyarrow as pa

from sources.files.parquet.arrow_rows import encoder_of
from sources.files.parquet.large_rows import SizedRows
from sources.files.parquet.long_values import Marks


def test_the_short_values_come_first_in_a_head() -> None:
    batch = pa.RecordBatch.from_pydict({"text": ["x" * 100_000], "id": [7]})
    rows = SizedRows(encoder_of(batch.schema), frozenset(), Marks(70_000), 70_000)
    read, refused = rows.of(batch, 5)
    assert read.raws[0] == refused[0].raw
    assert refused[0].raw.startswith(b'[{"id":7,"text":"xxx')
    assert len(refused[0].raw) == 65_536
    assert (refused[0].offset, refused[0].category) == (5, "too_large")
    assert "the row has 100,008 bytes, limit 70,000" in refused[0].message
    assert sha256(b"x" * 100_000).hexdigest() in refused[0].message


def test_rows_within_the_limit_are_not_refused() -> None:
    batch = pa.RecordBatch.from_pydict({"id": [7, 8]})
    rows = SizedRows(encoder_of(batch.schema), frozenset(), Marks(70_000), 70_000)
    read, refused = rows.of(batch, 0)
    assert (read.values, refused) == ([{"id": 7}, {"id": 8}], {})
