from __future__ import annotations

import pytest

from sources.files.parquet.page_headers import (
    DATA,
    DATA_V2,
    DICTIONARY,
    Incomplete,
    PageHeader,
    read_header,
)

DETAILS = {
    DATA: {1: 5, 2: 0, 3: 3, 4: 3},
    DICTIONARY: {1: 5, 2: 0},
    DATA_V2: {1: 5, 2: 1, 3: 4, 4: 0, 5: 2, 6: 0, 7: True},
}


@pytest.mark.parametrize("kind", DETAILS)
def test_a_resized_header_says_the_same_of_a_page_of_another_size(kind: int) -> None:
    header = PageHeader(0, kind, 10, 20, DETAILS[kind])
    data = header.resized(300, 70_000)
    read = read_header(data + b"rest")
    assert (read.length, read.type, read.stored, read.size) == (len(data), kind, 300, 70_000)
    expected = {**DETAILS[kind], 7: False} if kind == DATA_V2 else DETAILS[kind]
    assert read.details == expected
    assert read.is_plain
    for end in range(len(data)):
        with pytest.raises(Incomplete):
            read_header(data[:end])


@pytest.mark.parametrize("data", [b"\x00", b"\x15\x00\x15\x01\x15\x00\x00"])
def test_a_header_without_sizes_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="size"):
        read_header(data)
