from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.files.parquet.thrift import list_bytes, read_struct, struct_bytes

STRUCT = bytes([0x15, 0x04, 0x19, 0x28, 0x01, 0x61, 0x02, 0x62, 0x63, 0x11, 0x1C, 0x15, 0x01, 0, 0])
"""1: 2, 2: ["a", "bc"], 3: true, 4: {1: -1}."""


def test_fields_have_their_numbers_and_values() -> None:
    assert read_struct(STRUCT) == ({1: 2, 2: [b"a", b"bc"], 3: True, 4: {1: -1}}, len(STRUCT))


def test_what_is_written_is_read_again() -> None:
    fields = {1: -(2**31), 2: b"ab", 4: True, 5: False, 10: {1: {}, 2: 7}, 12: b"", 13: 300}
    data = struct_bytes(fields)
    assert read_struct(data) == (fields, len(data))


@pytest.mark.parametrize("count", [0, 14, 15, 200])
def test_a_list_of_structs_is_read_again(count: int) -> None:
    data = b"\x19" + list_bytes([struct_bytes({1: i}) for i in range(count)]) + b"\0"
    assert read_struct(data) == ({1: [{1: i} for i in range(count)]}, len(data))


@pytest.mark.parametrize("end", range(len(STRUCT)))
def test_what_ends_early_says_so(end: int) -> None:
    with pytest.raises(IndexError):
        read_struct(STRUCT[:end])


@given(st.binary(max_size=60))
def test_any_bytes_are_a_struct_or_one_of_two_errors(data: bytes) -> None:
    with contextlib.suppress(IndexError, ValueError):
        read_struct(data)
