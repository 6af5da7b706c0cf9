from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.parse.avro.octets import Octets
from transforms.parse.avro.reading import Unfit, long_at


def written(number: int) -> bytes:
    """A number as Avro writes it."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def test_bodies_begin_where_they_are_told_to() -> None:
    octets = Octets([b"hhab", b"hhc"], 2)
    assert octets.bodies.tolist() == [2, 6]
    assert octets.ends.tolist() == [4, 7]
    assert octets.bytes_at(octets.bodies).tobytes() == b"ac"


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_numbers_of_any_length_side_by_side(numbers: Sequence[int]) -> None:
    octets = Octets(list(map(written, numbers)), 0)
    values, ends = octets.longs_at(octets.bodies)
    assert values.tolist() == numbers
    assert ends.tolist() == octets.ends.tolist()


@pytest.mark.parametrize("last", [b"\x02", b"\x80\x00"])
def test_a_number_of_more_than_64_bits(last: bytes) -> None:
    long = b"\xff" * 9 + last
    with pytest.raises(Unfit, match="64 bits"):
        long_at(long, 0)
    octets = Octets([b"\x01", long], 0)
    with pytest.raises(Unfit, match="64 bits"):
        octets.longs_at(octets.bodies)


def test_a_number_does_not_go_on_behind_all_bytes() -> None:
    octets = Octets([b"a"], 0)
    with pytest.raises(IndexError):
        octets.longs_at(np.array([1_000]))


def test_blocks_with_their_size_and_without() -> None:
    octets = Octets([written(3), written(-3) + written(70), b"\0"], 0)
    counts, ends = octets.counts_at(octets.bodies)
    assert counts.tolist() == [3, 3, 0]
    assert ends.tolist() == octets.ends.tolist()


def test_a_block_of_the_least_number_of_items() -> None:
    octets = Octets([written(-(2**63)) + b"\0", b"\2"], 0)
    with pytest.raises(Unfit):
        octets.counts_at(octets.bodies)


@pytest.mark.parametrize("length", [-1, 3, 2**63 - 1])
def test_a_length_that_does_not_fit_into_its_message(length: int) -> None:
    octets = Octets([written(2) + b"ab", written(length) + b"ab", b"\0more"], 0)
    with pytest.raises(Unfit):
        octets.lengths_at(octets.bodies, np.arange(3))


def test_places_beyond_the_end_of_their_message() -> None:
    octets = Octets([b"ab", b"cd"], 0)
    octets.check(octets.ends, np.arange(2))
    with pytest.raises(Unfit):
        octets.check(octets.ends, np.array([0, 0]))
