"""A storage that fails for a while: the reader goes on where it was, without loss or repeat."""

from __future__ import annotations

import bz2
import gzip
import io
import random
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from sources.files.csv.options import CsvOptions
from sources.files.formats import stored_format_of
from sources.files.parquet.reader import ParquetReader
from sources.files.plan import part_of
from sources.files.text import TextReader
from tests.io.sources.files.test_framing import reference
from tests.io.sources.reading import MemoryLedger, raws
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits, Reader, Split
from transforms.errors import SourceUnavailable


class Unsteady:
    """A storage of one object; one request in three fails."""

    def __init__(self, data: bytes, *, distant: bool) -> None:
        self._data = data
        self.distant = distant
        self.block_bytes = 3_000
        self.content_encoding = ""
        self._random = random.Random(1)

    def open(self, uri: str, version: str) -> Unsteady:
        self._fail()
        return self

    def read_at(self, offset: int, length: int) -> bytes:
        self._fail()
        return self._data[offset : offset + length]

    def close(self) -> None:
        pass

    def _fail(self) -> None:
        if self._random.random() < 1 / 3:
            raise SourceUnavailable("away")


LINES = b"".join(b'%d,"%d"\n' % (n, n * n + 1) for n in range(3_000))


def parquet(_: bytes) -> bytes:
    stored = io.BytesIO()
    pq.write_table(pa.table({"n": list(range(3_000))}), stored, row_group_size=700)
    return stored.getvalue()


@pytest.mark.parametrize("distant", [False, True])
@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("a.jsonl", bytes),
        ("a.csv", bytes),
        ("a.jsonl.gz", gzip.compress),
        ("a.csv.zst", zstandard.ZstdCompressor().compress),
        ("a.jsonl.bz2", bz2.compress),
        ("a.parquet", parquet),
    ],
)
def test_polling_again_goes_on_where_it_was(
    name: str, compress: Callable[[bytes], bytes], distant: bool
) -> None:
    data = compress(LINES)
    storage = Unsteady(data, distant=distant)
    stored_format = stored_format_of(name)
    part = part_of(Split("s", name, "v", len(data)), stored_format, ())
    limits = BatchLimits(records=400)
    reader: Reader = (
        ParquetReader(storage, part, limits)  # type: ignore[arg-type]
        if stored_format.format == "parquet"
        else TextReader(storage, part, limits, 1 << 20, CsvOptions(header=True))  # type: ignore[arg-type]
    )
    ledger = MemoryLedger()
    batches: list[RecordBatch] = []
    outages = 0
    done = False
    while not done:
        assert outages < 1_000, "the reader does not get on"
        try:
            polled = reader.poll(0.5)
        except SourceUnavailable:
            outages += 1
            continue
        batches += polled.batches
        done = polled.done
    ledger.settle(batches)
    lines = [line for _, line in reference(LINES)]
    expected = {
        "jsonl": lines,
        "csv": lines[1:],
        "parquet": [b'[{"n":%d},{}]' % n for n in range(3_000)],
    }
    assert raws(batches) == expected[stored_format.format]
    assert outages > 1
    (coverage,) = ledger.coverages.values()
    assert coverage.complete
