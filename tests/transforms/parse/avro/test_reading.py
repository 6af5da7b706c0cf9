from __future__ import annotations

import io

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.parse.avro.reading import Unfit, count_at, length_at, long_at


def encoded(*numbers: int) -> bytes:
    out = io.BytesIO()
    for number in numbers:
        fastavro.schemaless_writer(out, "long", number)
    return out.getvalue()


@given(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=3))
def test_a_number_is_what_fastavro_has_written(number: int, before: bytes) -> None:
    data = before + encoded(number)
    assert long_at(data + b"\xff", len(before)) == (number, len(data))


def test_a_number_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(Unfit, match="more than 64 bits"):
        long_at(b"\xff" * 9 + b"\x02", 0)
    with pytest.raises(Unfit, match="more than 64 bits"):
        long_at(b"\xff" * 40, 0)


def test_a_number_that_ends_too_early() -> None:
    with pytest.raises(IndexError):
        long_at(b"\xff\xff", 0)


def test_a_negative_length_is_refused() -> None:
    assert length_at(encoded(70), 0) == (70, 2)
    with pytest.raises(Unfit, match="negative"):
        length_at(encoded(-1), 0)


def test_a_negative_count_is_followed_by_a_size() -> None:
    assert count_at(encoded(3), 0) == (3, 1)
    assert count_at(encoded(-3, 1_000), 0) == (3, 3)
