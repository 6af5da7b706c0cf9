"""The starts of a file, and what stands at their ends."""

from __future__ import annotations

import gzip
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.files.formats import StoredFormat
from sources.files.versions import prefix
from sources.files.versions.prefix import Prefix, prefixes
from sources.storage.local import version_at

DATA = b"one\ntwo\nthree"


@pytest.mark.parametrize("compression", ["", "gzip"])
def test_every_start_that_is_there(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(gzip.compress(DATA) if compression else DATA)
    stored = version_at(path.as_uri())
    assert stored is not None
    starts = list(prefixes(stored, StoredFormat("jsonl"), [13, 4, 99, 3]))
    assert starts == [
        Prefix(3, crc32(b"one"), compression, 0, b"e", b"\nt"),
        Prefix(4, crc32(b"one\n"), compression, 0, b"\n", b"tw"),
        Prefix(13, crc32(DATA), compression, 8, b"e", b""),
    ]


class Blocks:
    stored = 0

    def __init__(self, data: bytes, size: int) -> None:
        self._blocks = [data[at : at + size] for at in range(0, len(data), size)]

    def read(self) -> bytes:
        return self._blocks.pop(0) if self._blocks else b""


@given(data=st.binary(max_size=60), size=st.integers(1, 9), lengths=st.lists(st.integers(1, 60)))
def test_blocks_of_any_size_make_no_difference(data: bytes, size: int, lengths: list[int]) -> None:
    asked = sorted(set(lengths))
    starts = list(prefix._cut(Blocks(data, size), "", asked))
    assert [(each.length, each.crc, each.last, each.after) for each in starts] == [
        (n, crc32(data[:n]), data[n - 1 : n], data[n : n + 2]) for n in asked if n <= len(data)
    ]
