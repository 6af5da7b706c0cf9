from __future__ import annotations

from hashlib import sha256

import pytest

from sources.files.parquet.block_codecs import Undecodable
from sources.files.parquet.long_values import LongValue, Marks, with_marks
from sources.files.parquet.page_headers import DATA, DICTIONARY, PageHeader, read_header


def plain(*values: bytes) -> bytes:
    return b"".join(len(value).to_bytes(4, "little") + value for value in values)


def test_only_long_values_are_replaced_by_marks() -> None:
    page = plain(b"a", b"x" * 101, b"b" * 100)
    header = PageHeader(0, DICTIONARY, len(page), len(page), {1: 3, 2: 0})
    marks = Marks(100)
    assert not marks
    written, size = with_marks(
        header, lambda a, b: iter([page[a:b]]), "UNCOMPRESSED", (False, False), marks
    )
    new = read_header(written)
    body = written[new.length :]
    assert (new.size, len(body), new.stored) == (size, size, size)
    mark = body[9 : 9 + int.from_bytes(body[5:9], "little")]
    assert body == plain(b"a", mark, b"b" * 100)
    long = LongValue(101, b"x" * 101, sha256(b"x" * 101).hexdigest())
    assert marks
    assert marks.of(mark) == marks.of(mark.decode()) == long
    assert marks.within({"a": [1, {"b": mark.decode()}]}) == long
    assert marks.within(["cut:", b"cut:", 7, None]) is None


@pytest.mark.parametrize("end", [-1, 6])
def test_a_page_that_ends_early_is_undecodable(end: int) -> None:
    page = plain(b"a", b"x" * 101)[:end]
    header = PageHeader(0, DICTIONARY, len(page), len(page), {1: 2, 2: 0})
    with pytest.raises(Undecodable, match="ends early"):
        with_marks(header, lambda a, b: iter([page[a:b]]), "UNCOMPRESSED", (False, False), Marks(9))


def test_other_encodings_are_undecodable() -> None:
    header = PageHeader(0, DATA, 10, 10, {1: 2, 2: 7, 3: 3, 4: 3})
    with pytest.raises(Undecodable, match="as a whole"):
        with_marks(header, lambda a, b: iter(()), "UNCOMPRESSED", (False, False), Marks(9))
