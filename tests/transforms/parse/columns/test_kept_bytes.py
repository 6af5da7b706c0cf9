"""Bytes of records are made only where somebody asks for them."""

from __future__ import annotations

from transforms.parse.columns.kept_bytes import KeptBytes

ALL = [b"%d" % number for number in range(20)]


def kept(asked: list[tuple[int, int]]) -> KeptBytes:
    def make(low: int, high: int) -> list[bytes]:
        asked.append((low, high))
        return ALL[low:high]

    return KeptBytes(len(ALL), 99, make)


def test_one_is_made_alone() -> None:
    asked: list[tuple[int, int]] = []
    raws = kept(asked)
    assert (raws[3], raws[-1], len(raws), raws.estimate) == (b"3", b"19", 20, 99)
    assert asked == [(3, 4), (19, 20)]


def test_after_many_of_them_all_are_made_once() -> None:
    asked: list[tuple[int, int]] = []
    raws = kept(asked)
    assert [raws[number] for number in range(20)] == ALL
    assert asked.count((0, 20)) == 1
    before = len(asked)
    assert list(raws) == ALL
    assert raws[4:6] == ALL[4:6]
    assert len(asked) == before
